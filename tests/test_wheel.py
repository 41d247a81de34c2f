"""The wheel: built, installed elsewhere, and run from a folder that knows nothing of this one."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from wildsr.config.choice import CONF
from wildsr.config.compose import verbs

pytestmark = pytest.mark.heavy

ROOT = CONF.parent


def call(*arguments, **options):
    """The finished process, which has succeeded."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: it is in wildsr[dev]")
    sources, built = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, sources / name)
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built, cwd=sources)
    (path,) = built.glob("wildsr-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A new environment with the wheel, which sees the installed torch but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    where = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(where.stdout.strip(), "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    call(*pip, wheel)
    return folder / "bin" / "wildsr"


def test_the_wheel_holds_every_configuration(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in CONF.rglob("*.yaml"):
        assert f"wildsr/conf/{path.relative_to(CONF).as_posix()}" in held
    assert "wildsr/py.typed" in held
    assert not any("__pycache__" in name for name in held)


@pytest.fixture
def elsewhere(tmp_path):
    """Options of a process in an empty folder, that finds nothing by this environment."""
    return {
        "cwd": tmp_path,
        "env": {k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    }


def test_the_command_is_the_wheels_own_from_any_folder(installed, elsewhere):
    where = "import wildsr.config.compose as c; print(c.__file__, c.CONF)"
    for path in call(installed.with_name("python"), "-c", where, **elsewhere).stdout.split():
        assert Path(path).is_relative_to(installed.parents[1])
    listed = call(installed, "--help", **elsewhere).stdout
    assert all(f"\n  {verb} " in listed for verb in verbs())
    for verb in verbs():
        page = call(installed, verb, "--help", **elsewhere).stdout
        assert page.startswith(f"usage: wildsr {verb} ")


@pytest.mark.slow
def test_it_trains_and_evaluates_from_any_folder(installed, tiny, elsewhere, tmp_path):
    call(installed, "train", *tiny, "method=supervised", "iterations=2", "name=it", **elsewhere)
    call(installed, "evaluate", "run=runs/it", "metric.metrics=[psnr]", **elsewhere)
    assert (tmp_path / "runs" / "it" / "evaluation-1" / "results.json").exists()
