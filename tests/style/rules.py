"""The rules of the house that can be read from the syntax tree, each one function over a module."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FUNCTION_LINES_MAX = 70

REAL_TIME = {
    "asyncio.sleep",
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "time.time",
    "time.time_ns",
}
SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+(\w+\s+)?SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)"
)
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)*(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b")
UNIT_FIRST = re.compile(r"^(?:w|kw|wh|kwh|amps|watts)_[a-z]")


@dataclass(frozen=True)
class Module:
    """A source file, parsed; ``name`` is its path below the package."""

    name: str
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class Offence:
    """Where a rule is broken."""

    name: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.what}"


def module(name: str, text: str) -> Module:
    return Module(name, text, ast.parse(text))


def read(root: Path) -> list[Module]:
    """Every module below ``root``."""
    return [
        module(path.relative_to(root).as_posix(), path.read_text())
        for path in sorted(root.rglob("*.py"))
    ]


def long_functions(source: Module) -> Iterator[Offence]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Offence(source.name, node.lineno, f"{node.name} has {lines} lines")


def missing_docstring(source: Module) -> Iterator[Offence]:
    """An empty ``__init__.py`` needs none."""
    if source.tree.body and not ast.get_docstring(source.tree):
        yield Offence(source.name, 1, "no module docstring")


def wall_clock(source: Module) -> Iterator[Offence]:
    """Real time or real waiting by any of the names that modules are imported under."""
    aliases = _aliases(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node, aliases)
            if name.removeprefix("datetime.") in REAL_TIME or name in REAL_TIME:
                yield Offence(source.name, node.lineno, name)


def unseeded_chance(source: Module) -> Iterator[Offence]:
    """``random`` may be imported for the type ``random.Random`` alone, never made or drawn from."""
    aliases = _aliases(source.tree)
    called = {id(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node, aliases)
            drawn = name.startswith("random.") and name != "random.Random"
            if drawn or (name == "random.Random" and id(node) in called):
                yield Offence(source.name, node.lineno, name)


def sql_text(source: Module) -> Iterator[Offence]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield Offence(source.name, node.lineno, "SQL text")


def opens_the_database(source: Module) -> Iterator[Offence]:
    """``<anything>.begin(org_id=…)``: a transaction past the tenant's door."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "begin"
            and any(word.arg in {"org_id", "system"} for word in node.keywords)
        ):
            yield Offence(source.name, node.lineno, "opens a transaction")


def swallows_everything(source: Module) -> Iterator[Offence]:
    """A catch-all handler that does not raise again."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node):
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if not raises:
                yield Offence(source.name, node.lineno, "catches every exception")


def unit_first(source: Module) -> Iterator[Offence]:
    """Fields and parameters name their unit last: ``power_w``, not ``w_power``."""
    for node in ast.walk(source.tree):
        name = ""
        if isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        if UNIT_FIRST.match(name):
            yield Offence(source.name, node.lineno, f"{name}: the unit goes last")


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def _aliases(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {item.asname or item.name: item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    return found


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, aliases)
        return f"{before}.{node.attr}" if before else ""
    return ""
