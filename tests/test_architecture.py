"""The levels and the owners of the libraries: read from the imports, so that the picture in CONTRIBUTING stays true."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"

LEVELS = (
    {"declared", "editions", "errors", "findings"},
    {"carried", "certificates", "damage", "identity", "model", "quoting", "templates", "wording"},
    {
        "auth",
        "columns",
        "config",
        "date_orders",
        "graph",
        "interrupt",
        "journal",
        "lanes",
        "ledger",
        "load",
        "log",
        "pace",
        "permissions",
        "presets",
        "proposals",
        "report",
        "returned",
        "routes",
        "validate",
        "values",
    },
    {"ingest", "inspect", "next_steps", "pinned", "reconcile", "send"},
    {"deliver", "folder", "trace"},
    {"session"},
    {"conclude", "reading"},
    {"sending_run"},
    {"explain", "plan", "run", "undo", "verify"},
    {"simulator"},
    {"cli"},
)

LEVEL_OF = {module: level for level, modules in enumerate(LEVELS) for module in modules}

OWNERS = {
    "aiohttp": {"graph", "simulator"},
    "azure": {"auth"},
    "charset_normalizer": {"load"},
    "cryptography": {"auth", "certificates"},
    "defusedxml": {"load"},
    "filelock": {"ledger"},
    "httpx": {"graph"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "numpy": {"ingest", "load"},
    "openpyxl": {"report"},
    "pandas": {"load"},
    "pydantic_settings": {"config"},
    "python_calamine": {"load"},
    "rapidfuzz": {"proposals"},
    "rich": {"cli"},
    "sqlalchemy": {"ledger"},
    "structlog": {"log"},
    "tenacity": {"graph"},
    "typer": {"cli"},
    "yaml": {"config"},
    "yarl": {"graph"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    """Return the file's module below pipeline; a folder counts as one module."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names that the file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""


def named(path: Path) -> str:
    """Return the file's name for pytest's list."""
    return str(path.relative_to(PACKAGE))


def test_every_module_has_a_level() -> None:
    """A new module is put on a level before it lands."""
    modules = {module_of(path) for path in FILES} - {"__init__", "__main__"}

    assert modules == set(LEVEL_OF)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_module_imports_only_from_lower_levels(path: Path) -> None:
    """Data goes one way: no module imports from its own level or from above."""
    module = module_of(path)
    own = LEVEL_OF.get(module, len(LEVELS))
    imported = {name.split(".")[1] for name in imports_of(path) if name.startswith("pipeline.")} - {module}

    assert {name for name in imported if LEVEL_OF[name] >= own} == set()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_library_is_imported_by_its_owner_only(path: Path) -> None:
    """A library can be replaced by changing the modules that own it."""
    foreign = {name.split(".")[0] for name in imports_of(path)} & set(OWNERS)

    assert {name for name in foreign if module_of(path) not in OWNERS[name]} == set()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_holds_two_ideas(path: Path) -> None:
    """A file of more than 400 lines is two files."""
    assert len(path.read_text("utf-8").splitlines()) <= 400
