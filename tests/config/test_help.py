"""What ``--help`` says: readable, complete, quick, and without importing torch."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from wildsr import __version__
from wildsr.cli import main
from wildsr.config import compose as command
from wildsr.config import help

VERBS = command.verbs()

EXAMPLE = """\
# @package _global_
# Make a thing. And well.
#
#   python thing.py size=3                     small
#   python thing.py ~/a "b c"
defaults:
  - _self_
  - kind: round
  - extra: null
  - /other@data.x: y
size: 2    # metres: a # stays
name: ???  # of it
rates: {fast: {up: 1.0e-3, down: [1,
  2]}, slow: null}   # the last of the line
inner:
  _target_: a.b.C
  text: "a # b"
literal: {name: path}
"""


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "kind").mkdir()
    (tmp_path / "extra").mkdir()
    (tmp_path / "thing.yaml").write_text(EXAMPLE)
    (tmp_path / "kind" / "round.yaml").write_text("# python thing.py kind=round\nradius: 1  # m\n")
    (tmp_path / "kind" / "square.yaml").write_text("# Four corners.\nside: 1  # m\n")
    return tmp_path


def test_the_page_of_a_verb_word_for_word(conf, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/wildsr"])
    assert help.explain(conf, "thing", ["kind=square", "size=4", "kind=oval", "--help"]) == (
        """\
usage: wildsr thing [key=value ...]

Make a thing. And well.

examples:
  wildsr thing size=3     small
  wildsr thing ~/a "b c"

choices (`wildsr thing GROUP=CHOICE --help` explains the keys of one):
  kind=round  round, square
  extra=null

keys:
  size=2                  metres: a # stays
  name=...                must be given: of it
  rates.fast.up=1.0e-3
  rates.fast.down=[1, 2]
  rates.slow=null         the last of the line
  inner.text="a # b"

kind=square: Four corners.
  kind.side=1  m"""
    )


def test_a_script_is_named_as_it_was_called(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert help.program("train") == "python train.py"
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/wildsr"])
    assert help.program("train") == "wildsr train"


@pytest.mark.parametrize("verb", VERBS)
def test_every_key_group_and_choice_of_a_verb_is_on_its_page(verb, carry_out, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["wildsr"])
    assert carry_out(verb, ["--help"]) == 0
    page = capsys.readouterr().out
    assert f"wildsr {verb} " in page.split("examples:")[1].split("keys:")[0]
    top = yaml.safe_load((command.CONF / f"{verb}.yaml").read_text())
    for key, value in top.items():
        if key not in ("defaults", "literal"):
            below = f"{key}.{next(iter(value))}" if isinstance(value, dict) and value else key
            assert re.search(rf"^  {re.escape(below)}=", page, re.MULTILINE), below
    for group in help.defaults(command.CONF / f"{verb}.yaml"):
        assert re.search(rf"^  {group}=", page, re.MULTILINE), group
        for choice in help.choices(command.CONF, group):
            assert re.search(rf"\b{choice}\b", page), (group, choice)


@pytest.mark.parametrize("path", sorted(command.CONF.rglob("*.yaml")), ids=lambda p: p.stem)
def test_the_keys_of_every_configuration_can_be_explained(path):
    found = dict(help.keys(path))
    body = {k: v for k, v in yaml.safe_load(path.read_text()).items() if k != "defaults"}
    leaves = {k for k, v in body.items() if not isinstance(v, dict) and k != "_target_"}
    assert leaves <= {name.split("=")[0] for name in found}


def test_a_choice_shows_what_it_takes_over_from_another(conf):
    (conf / "kind" / "oval.yaml").write_text("defaults: [round, _self_]\nflat: 2  # its own\n")
    (conf / "kind" / "egg.yaml").write_text("defaults: [oval, _self_]\nradius: 5\n")
    page = list(help.keys(conf / "kind" / "egg.yaml", "kind"))
    assert page == [("kind.radius=5", ""), ("kind.flat=2", "its own")]


def run(*arguments, **options):
    code = (
        "import sys, time, wildsr.cli.main as c; sys.argv[0] = 'wildsr'\ntry: c.main()\nfinally: "
    )
    code += "print('torch' in sys.modules, time.process_time(), file=sys.stderr)"
    call = [sys.executable, "-c", code, *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("typed", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_takes_less_than_a_second_and_no_torch(typed):
    result = run(*typed)
    assert result.returncode == 0
    assert result.stdout.startswith("usage: wildsr ")
    torch, seconds = result.stderr.split()
    assert torch == "False"
    assert float(seconds) < 1  # of the processor: the machine may be busy with something else


def test_the_command_without_a_verb_lists_them(monkeypatch, capsys):
    for typed, code in (([], 2), (["--help"], 0)):
        monkeypatch.setattr(sys, "argv", ["wildsr", *typed])
        with pytest.raises(SystemExit) as left:
            main.main()
        assert left.value.code == code
        page = capsys.readouterr().out
        for verb in VERBS:
            assert re.search(rf"^  {verb}  +[A-Z]", page, re.MULTILINE), verb
    monkeypatch.setattr(sys, "argv", ["wildsr", "--version"])
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().out == f"wildsr {__version__}\n"


@pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="needs a shell")
def test_a_reader_that_leaves_early_is_no_stack_trace():
    call = f"{sys.executable} train.py --help | true"
    result = subprocess.run(
        ["/bin/sh", "-c", call],
        cwd=command.CONF.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
