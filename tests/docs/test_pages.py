"""The documentation: its examples run, its pages are complete, its site would fetch nothing."""

import doctest
import importlib.util
import json
import re
from pathlib import Path

import matplotlib
import pytest
import yaml

import wildsr
from wildsr.config import help

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOTEBOOK = DOCS / "notebooks" / "first_steps.ipynb"


def hook(name):
    """A module of docs/hooks, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "hooks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reader(tmp_path, photos, monkeypatch):
    """The folder that docs/python.md speaks of."""
    for name, folder in (("lr", photos.val_lr), ("truth", photos.val_hr), ("sharp", photos.hr)):
        (tmp_path / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WILDSR_RUN", "")  # what a run leaves in the environment goes with the test
    monkeypatch.delenv("WILDSR_RUN")


def test_the_examples_of_the_page_run(reader):
    failed, tried = doctest.testfile(
        str(DOCS / "python.md"),
        module_relative=False,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert tried > 25
    assert failed == 0


def test_the_notebook_runs(reader, monkeypatch, capsys):
    matplotlib.use("Agg")
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    small = [re.sub(r"^iterations = \d+", "iterations = 2", source) for source in sources]
    small = [re.sub(r"\niterations = \d+", "\niterations = 2", source) for source in small]
    assert small != sources
    scope = {}
    for source in small:
        exec(compile(source, "<cell>", "exec"), scope)
    matplotlib.pyplot.close("all")
    assert scope["sr"].shape == scope["cat"].shape
    assert "PSNR" in capsys.readouterr().out


def test_the_notebook_was_run_and_is_small():
    assert NOTEBOOK.stat().st_size < 1_000_000
    cells = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not any(output["output_type"] == "error" for output in outputs)


def listed(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from listed(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    pages = {
        path.relative_to(DOCS).as_posix()
        for kind in ("*.md", "*.ipynb")
        for path in DOCS.rglob(kind)
    }
    assert set(listed(nav)) == pages


def test_the_door_is_documented():
    text = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    for name in wildsr.__all__:
        found = getattr(wildsr, name)
        whole = f"::: {found.__module__}.{name}\n"
        assert whole in text or f"::: {found.__module__}\n" in text, name


def test_every_key_has_its_row():
    conf, pages = ROOT / "conf", hook("configuration").pages()
    for path in conf.rglob("*.yaml"):
        group = path.parent.relative_to(conf).as_posix()
        name = path.stem if group == "." else f"choice-{group.replace('/', '-')}"
        page = pages[f"configuration/{name}.md"]
        for key, _ in help.keys(path, "" if group == "." else group.replace("/", ".")):
            assert f"| `{key.partition('=')[0]}` |" in page, (path, key)
    links = re.findall(r"\]\(([^)]+)\)", "".join(pages.values()))
    assert links
    assert {f"configuration/{link}" for link in links} <= set(pages)


def test_a_comment_is_text_and_no_markup(tmp_path):
    conf = tmp_path / "conf"
    (conf / "kind").mkdir(parents=True)
    (conf / "verb.yaml").write_text(
        "# Do it.\n#\n#   python verb.py a=b     like this\ndefaults:\n  - _self_\n  - kind: one\n"
        "a: [x, '|']  # <b> | *c* `d|e` [f](g)\n"
    )
    (conf / "kind" / "one.yaml").write_text("# The one.\nb: 1  # of them\n")
    pages = hook("configuration").pages(conf)
    assert set(pages) == {f"configuration/{n}.md" for n in ("index", "verb", "choice-kind")}
    row = next(line for line in pages["configuration/verb.md"].splitlines() if "| `a` |" in line)
    assert "<code>[x, &#x27;&#124;&#x27;]</code>" in row
    assert "&lt;b&gt; \\| \\*c\\* `d\\|e` \\[f\\](g)" in row
    assert "wildsr verb a=b   # like this" in pages["configuration/verb.md"]
    assert "| `kind.b` | <code>1</code> | of them |" in pages["configuration/choice-kind.md"]


@pytest.mark.parametrize(
    ("page", "elsewhere"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', ["//fonts.example/a.css"]),
        ('<link rel="preconnect" href="https://x.example">', ["https://x.example"]),
        ('<img src="HTTP://x.example/a.png">', ["HTTP://x.example/a.png"]),
        ("<style>@import 'https://x.example/a.css';</style>", ["https://x.example/a.css"]),
        ('<p style="background: url(https://x.example/a.png)">', ["https://x.example/a.png"]),
        ('<link rel="canonical" href="https://x.example">', []),
        (
            '<a href="https://arxiv.org">paper</a> <img src="a.png"> <script src="b.js"></script>',
            [],
        ),
    ],
)
def test_what_a_page_would_fetch(page, elsewhere, tmp_path):
    (tmp_path / "index.html").write_text(page)
    assert hook("offline").fetched(tmp_path) == ({"index.html": elsewhere} if elsewhere else {})


def test_a_style_sheet_fetches_too(tmp_path):
    (tmp_path / "a.css").write_text("@font-face { src: url('https://x.example/a.woff2') }")
    assert hook("offline").fetched(tmp_path) == {"a.css": ["https://x.example/a.woff2"]}


def test_roles_and_formulas_become_markdown():
    pytest.importorskip("griffe")
    text = "Of :func:`~a.b.c` and :class:`d.E`, ``f``.\n\n.. math:: x^2\n    + y\n\nMore."
    made = hook("roles").in_markdown(text)
    assert made.startswith("Of `c` and `d.E`, `f`.\n\n```tex\nx^2\n+ y\n```\n")
    assert made.endswith("\nMore.")
