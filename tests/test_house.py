"""The house: imports only point down, and no circle hides in a lazy import."""

import ast
from pathlib import Path

import pytest

import wildsr

PACKAGE = Path(wildsr.__file__).parent
# Top down; a room imports the rooms below it, never one above or beside it. Ground files come last.
ROOMS = (
    "__main__",
    "cli",
    "sweep",
    "api",
    "training",
    "report",
    "evaluation",
    "export",
    "app",
    "run",
    "config",
    "inference",
    "method",
    "metric",
    "data",
    "calibration",
    "loss",
    "network",
    "forensics",
    "degradation",
    "archive",
    "photo",
    "pixels",
    "atomic",
    "argument",
    "seed",
    "text_path",
    "extra",
    "error",
)


def imports(package):
    """(importing module, imported module) of every import statement, wherever it stands."""
    modules = {
        ".".join([package.name, *path.relative_to(package).with_suffix("").parts]): path
        for path in package.rglob("*.py")
    }
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level:
                own = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
                base = [*own[: len(own) - node.level + 1], *(node.module or "").split(".")]
                root = ".".join(part for part in base if part)
                targets = [f"{root}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in targets:
                while target and target not in modules:
                    target = target.rpartition(".")[0]
                if target and target not in (name, package.name):
                    yield name, target


def room(module):
    return module.split(".")[1] if "." in module else module


def wrong_arrows(package, rooms):
    """Imports that do not point down, and modules that stand in no room."""
    order = {name: place for place, name in enumerate(rooms)}
    found = []
    for source, target in imports(package):
        above, below = room(source), room(target)
        if above == package.name:
            continue  # the door hands on what the rooms hold
        if above not in order or below not in order:
            found.append(f"{source} or {target} stands in no room")
        elif above != below and order[above] >= order[below]:
            found.append(f"{source} imports {target}, which is above it")
    return found


def circles(package):
    """Modules that reach themselves along imports."""
    arrows = {}
    for source, target in imports(package):
        arrows.setdefault(source, set()).add(target)

    def reached(module):
        seen, open_ones = set(), [module]
        while open_ones:
            for target in arrows.get(open_ones.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    open_ones.append(target)
        return seen

    return sorted(module for module in arrows if module in reached(module))


def test_imports_only_point_down():
    assert wrong_arrows(PACKAGE, ROOMS) == []


def test_no_circle_of_files():
    assert circles(PACKAGE) == []


def test_every_file_stands_in_a_room():
    there = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    ground = {"__init__", "__pycache__", "py", "conf"}  # py.typed; conf in a wheel
    assert {name for name in there if name.partition(".")[0] not in ground} == set(ROOMS)


@pytest.fixture
def house(tmp_path):
    """A package of two rooms, and a function that writes a file into it."""

    def write(name, text):
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for name in ("__init__.py", "top/__init__.py", "low/__init__.py", "low/brick.py"):
        write(name, "")
    write("top/roof.py", "from small.low import brick\n")
    return tmp_path / "small", write


def test_a_wrong_arrow_fails(house):
    package, write = house
    assert wrong_arrows(package, ("top", "low")) == []
    write("low/brick.py", "def late():\n    from small.top.roof import tile\n    return tile\n")
    assert wrong_arrows(package, ("top", "low")) == [
        "small.low.brick imports small.top.roof, which is above it"
    ]


def test_a_relative_import_up_fails_too(house):
    package, write = house
    write("low/brick.py", "from ..top import roof\n")
    assert wrong_arrows(package, ("top", "low")) == [
        "small.low.brick imports small.top.roof, which is above it"
    ]


def test_a_circle_within_a_room_fails(house):
    package, write = house
    assert circles(package) == []
    write("low/brick.py", "from small.low import clay\n")
    write("low/clay.py", "def late():\n    import small.low.brick\n")
    assert circles(package) == ["small.low.brick", "small.low.clay"]


def test_a_file_in_no_room_fails(house):
    package, write = house
    write("loose.py", "from small.low import brick\n")
    assert wrong_arrows(package, ("top", "low")) == [
        "small.loose or small.low.brick stands in no room"
    ]
