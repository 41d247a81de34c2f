"""The pages of docs/methods: their commands compose, their wiring is what is computed."""

import re
import shlex
from pathlib import Path

import pytest

from wildsr.config.choice import CONF
from wildsr.config.compose import configure
from wildsr.training.session import explained

FOLDER = Path(__file__).parents[2] / "docs" / "methods"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
METHODS = {path.stem for path in (CONF / "method").glob("*.yaml")}


def commands(page):
    """The overrides of each ``python train.py`` on a line of its own, without what follows it."""
    found = re.findall(r"^ {4,}python train\.py (.*)$", page.read_text(), re.MULTILINE)
    return [[o for o in shlex.split(re.split(r" {3,}", c)[0]) if o != "..."] for c in found]


@pytest.mark.heavy
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_compose(page):
    assert commands(page)
    for overrides in commands(page):
        configure("train", overrides)


@pytest.mark.heavy
@pytest.mark.parametrize("page", [p for p in PAGES if p.stem in METHODS], ids=lambda p: p.stem)
def test_the_wiring_is_what_explain_prints(page, of, small):
    assert explained(configure("train", [*of(page.stem), *small])) in page.read_text()


VARIANTS = [  # of a method, in backquotes in its page
    (page.stem, line)
    for page in PAGES
    if page.stem in ("bulat", "cincgan", "cyclesr", "maeda")
    for line in re.findall(r"`('?method\.[^`]*=[^`]*)`", page.read_text())
]


@pytest.mark.heavy
@pytest.mark.parametrize(("method", "line"), VARIANTS)
def test_a_variant_explains_itself(method, line, of, small):
    typed = shlex.split(line)
    plain, varied = (
        configure("train", [*of(method), *small, *more]).method for more in ([], typed)
    )
    assert varied != plain
    assert explained(configure("train", [*of(method), *small, *typed]))


@pytest.mark.heavy
def test_srrescgan_is_a_line_on_top_of_dsgan(of, small):
    """All four of its losses, with their weights."""
    (line,) = commands(PAGES[[page.stem for page in PAGES].index("srrescgan")])
    terms = configure("train", line).method.updates.upscale.terms
    weights = {name: term.get("weight", 1) for name, term in terms.items() if term is not None}
    assert weights == {"pixel": 10, "content": 1, "fool": 0.004, "steps": 1}
    assert "pixel, content, fool, steps" in explained(
        configure("train", [*of("dsgan"), *small, *line])
    )


def test_every_method_has_a_page_that_the_list_names():
    listed = (FOLDER / "README.md").read_text()
    for method in METHODS:
        assert f"`{method}`" in listed
    assert {*METHODS} - {page.stem for page in PAGES} == {"pooled"}, "it is on supervised's page"
    for page in PAGES:
        assert f"({page.name})" in listed
