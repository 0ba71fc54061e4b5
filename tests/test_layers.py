"""The house stands: imports go down only, siblings never meet; torch, HTTP and printing keep to their rooms."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "distal"

LAYERS = (
    {"errors", "files", "markup", "protobuf", "quantiles"},
    {"coords", "dna", "engine"},
    {"tracks"},
    {"io", "models"},
    {"predictor", "data"},
    {"incremental"},
    {"train", "scoring", "interpret"},
    {"evals", "plots"},
    {"web"},
    {"cli"},
)
"""Bottom to top. A module or package imports from lower layers, and a package from itself."""

TORCH = ("models", "predictor", "incremental", "data.dataset", "train", "scoring", "interpret", "cli.doctor")
HTTP = ("web", "models.fetch")
RAY = ("engine",)
PRINTING = ("cli",)

MODULES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.name != "__init__.py")


def name_of(path: Path) -> str:
    """``models.zoo`` for src/distal/models/zoo.py, ``models`` for its ``__init__``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, at the top, in a function or for type checking alone."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write distal.…"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls_of(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the dotted name that is called."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def level_of(room: str) -> int:
    return next(i for i, rooms in enumerate(LAYERS) if room in rooms)


def inside(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def ours(imported: str) -> str | None:
    """The room of a module of ours; None for the package itself (its version) and for other people's modules."""
    room = imported.removeprefix("distal.").split(".")[0] if imported.startswith("distal.") else None
    return None if room in (None, "__version__") else room


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path):
    room = name_of(path).split(".")[0]
    for imported in imports_of(path):
        other = ours(imported)
        if other is not None and other != room:
            assert level_of(other) < level_of(room), f"{name_of(path)} imports {imported}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
@pytest.mark.parametrize(
    ("library", "rooms"),
    [("torch", TORCH), ("ray", RAY), ("urllib.request", HTTP), ("http", HTTP), ("fastapi", HTTP), ("pickle", ())],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_library_stays_in_its_rooms(path, library, rooms):
    found = [name for name in imports_of(path) if name == library or name.startswith(f"{library}.")]
    assert not found or inside(name_of(path), rooms), f"{name_of(path)} imports {found[0]}; only {rooms} may"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_command_line_prints_and_exits(path):
    if not inside(name_of(path), PRINTING):
        called = {name for name, _ in calls_of(path)}
        assert not called & {"print", "exit", "quit", "sys.exit", "os._exit"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_unpickled(path):
    for name, call in calls_of(path):
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name == "torch.load":
            assert options.get("weights_only") == "True", f"{path}:{call.lineno}"
        assert options.get("allow_pickle", "False") == "False", f"{path}:{call.lineno}"


def test_every_module_has_a_layer():
    rooms = {name_of(path).split(".")[0] for path in MODULES}
    assert rooms <= set().union(*LAYERS)
