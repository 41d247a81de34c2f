"""``import wildsr``: light, complete, and every entry's example runs."""

import subprocess
import sys
from pathlib import Path

import pytest

import wildsr
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.kind import Setting

from .conftest import examples_of, run

LIGHT = """
import sys, time
begun = time.process_time()
import wildsr
dir(wildsr), wildsr.__version__, wildsr.UserError
seconds = time.process_time() - begun
heavy = {"torch", "numpy", "lightning", "hydra", "PIL", "rich"} & set(sys.modules)
assert not heavy, heavy
print(seconds)
"""


def test_the_import_is_light():
    seconds = [
        float(subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.1, seconds  # of the processor


def test_every_name_is_there_and_listed():
    assert set(wildsr.__all__) <= set(dir(wildsr))
    for name in wildsr.__all__:
        assert getattr(wildsr, name).__name__ == name
    scope = {}
    exec("from wildsr import *", scope)
    assert set(wildsr.__all__) <= set(scope)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'wildsr' has no attribute 'upscaler'"):
        wildsr.upscaler  # noqa: B018


def test_type_checkers_see_the_same_names():
    text = Path(wildsr.__file__).read_text()
    stub = text[text.index("if TYPE_CHECKING") : text.index("__version__")]
    lines = [line.split() for line in stub.splitlines() if " import " in line]
    seen = {(words[1], words[3]) for words in lines if words[3] == words[5]}
    assert len(seen) == len(lines)
    assert seen == {(f"wildsr.{home}", name) for name, home in wildsr._HOME.items()}


def test_every_metric_is_a_function():
    assert set(CATALOGUE) <= set(wildsr.__all__)


@pytest.mark.parametrize("name", [n for n in wildsr.__all__ if n != "train"])  # `world` runs that
def test_example(name, there):
    if name in CATALOGUE:
        needs = CATALOGUE[name](Setting("rgb", 0, lambda hr: hr)).needs
        if needs is not None:
            pytest.skip(needs.how)
    failures, tries = run(examples_of(name))
    assert failures == ""
    classes = ("UserError", "Degrader", "Upscaler")  # made by functions that have the example
    assert tries > 0 or name in classes
