"""A folder as a reader of docs/python.md has it: photos, and a run called runs/first."""

import doctest

import numpy
import pytest
from PIL import Image

import wildsr


def examples_of(name):
    """The examples in the docstring of a name of the door, those of its methods included."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(getattr(wildsr, name), name, globs={"wildsr": wildsr, "numpy": numpy})
    return [test for test in found if test.examples]


def run(tests):
    """Run examples; what went wrong, as text, and how many lines there were."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    for test in tests:
        runner.run(test, out=said.append, clear_globs=False)
    return "".join(said), runner.summarize(verbose=False).attempted


@pytest.fixture(scope="session")
def world(tmp_path_factory, photos):
    """The folder; its run is what the example of ``wildsr.train`` makes."""
    root = tmp_path_factory.mktemp("door")
    for name, folder in (("lr", photos.lr), ("sharp", photos.hr)):
        (root / name).symlink_to(folder)
    (root / "truth").mkdir()
    for path in photos.lr.iterdir():
        photo = Image.open(path)
        size = (4 * photo.width, 4 * photo.height)
        photo.resize(size, Image.Resampling.NEAREST).save(root / "truth" / path.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        forget_the_run(patch)
        failures, _ = run(examples_of("train"))
    assert failures == ""
    return root


def forget_the_run(patch):
    """What a run leaves in the environment goes with the test."""
    patch.setenv("WILDSR_RUN", "")
    patch.delenv("WILDSR_RUN")


@pytest.fixture
def there(world, monkeypatch):
    """The tests' working folder is that of the reader."""
    monkeypatch.chdir(world)
    forget_the_run(monkeypatch)
    return world
