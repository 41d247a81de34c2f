"""Tab completion: what it offers, and that a real shell gets it."""

import argparse
import os
import shutil
import subprocess
import sys

import argcomplete
import pytest

from wildsr.cli import main as command
from wildsr.cli.completion import answer, candidates


def test_keys_up_to_their_next_dot():
    found = candidates("train", [], "")
    assert {"scale=", "iterations=", "method=", "method.", "data.", "experiment="} <= {*found}
    assert not any(name.startswith("hydra") for name in found)
    assert candidates("train", [], "iter") == ["iterations="]
    assert candidates("evaluate", [], "data.") == ["data.hr=", "data.lr="]
    assert candidates("train", [], "network/up") == ["network/upscaler="]
    assert "method.updates.upscale.terms.pixel.loss=" in candidates(
        "train", [], "method.updates.upscale.terms.pixel."
    )


def test_one_way_on_is_followed_to_the_keys():
    found = candidates("train", [], "network.up")
    assert "network.upscaler.features=" in found
    assert set(candidates("train", [], "network.upscaler.")) <= set(found)


def test_a_choice_that_was_typed_decides_which_keys_there_are():
    assert "data.lr=" not in candidates("train", [], "data.")
    assert "data.lr=" in candidates("train", ["data=folders"], "data.")
    assert "data.lr=" not in candidates("train", ["data=foldres", "nonsense=1"], "data.")


def test_choices_of_a_group():
    assert candidates("train", [], "method=p") == ["method=pdm", "method=pooled"]
    assert candidates("train", [], "network/upscaler=srr") == ["network/upscaler=srresnet"]
    assert candidates("train", [], "scale=") == []
    assert candidates("train", [], "=") == []


def test_files_where_a_path_belongs(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "rose.pth").touch()
    monkeypatch.chdir(tmp_path)
    assert candidates("evaluate", [], "weights=r") == ["weights=rose.pth", "weights=runs/"]


def ask(line, folder, shell="bash"):
    """What a shell that has read our script would offer for ``line``."""
    wrapper = folder / "wildsr"
    wrapper.write_text(
        f"#!/bin/sh\nexec {sys.executable} -X importtime -c "
        "'import sys; sys.argv[0] = \"wildsr\"; from wildsr.cli.main import main; main()' "
        f'"$@" 2>>{folder}/imported\n'
    )
    wrapper.chmod(0o755)
    script = folder / "completion"
    program = f"""
        [ -e {script} ] || {wrapper} completion bash >{script}
        . {script}
        COMP_LINE={line!r} COMP_POINT={len(line)} COMP_TYPE=9
        _python_argcomplete {wrapper}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    called = subprocess.run([shell, "-c", program], capture_output=True, text=True, check=True)
    return called.stdout.split()


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_gets_verbs_keys_and_choices_without_torch(tmp_path):
    assert ask("wildsr tr", tmp_path) == ["train"]
    assert ask("wildsr train iter", tmp_path) == ["iterations="]
    # "=" ends a word in bash: what stands before it is not repeated.
    assert ask("wildsr train method=s", tmp_path) == ["supervised"]
    assert ask("wildsr train data=folders data.h", tmp_path) == ["data.hr="]
    assert set(ask("wildsr completion ", tmp_path)) == {"bash", "zsh", "fish"}
    imported = (tmp_path / "imported").read_text()
    assert "argcomplete" in imported
    assert not any(line.split("|")[-1].strip() == "torch" for line in imported.splitlines())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wildsr", "completion", shell])
    with pytest.raises(SystemExit) as left:
        command.main()
    assert left.value.code == 0
    script = capsys.readouterr().out
    assert "wildsr" in script
    assert "ARGCOMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, env=dict(os.environ))


@pytest.mark.parametrize("typed", [[], ["tcsh"], ["bash", "zsh"]])
def test_another_shell_is_one_sentence(typed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wildsr", "completion", *typed])
    with pytest.raises(SystemExit) as left:
        command.main()
    assert left.value.code == 2
    assert "must be one of ['bash', 'fish', 'zsh'], but got" in capsys.readouterr().err


def test_every_word_of_a_line_has_its_choices(monkeypatch):
    """What argcomplete asks for each word; :func:`ask` has it in a shell."""
    asked = []
    monkeypatch.setattr(argcomplete, "autocomplete", lambda parser, **options: asked.append(parser))
    answer()
    verb, overrides = asked[0]._get_positional_actions()
    assert {"train", "upscale", "completion"} <= set(verb.choices)

    def words(verb, typed, prefix):
        return overrides.completer(prefix, argparse.Namespace(verb=verb, overrides=typed))

    assert words("completion", None, "z") == ["bash", "zsh", "fish"]  # argcomplete picks
    assert words("train", None, "iter") == ["iterations="]
    assert words("train", ["data=folders"], "data.h") == ["data.hr="]
