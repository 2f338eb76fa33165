"""Imports run one way: every import of every file, those for type checkers and those inside functions too."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = "evaluator/demo/making/"
"""How the lab instrument was trained: scripts beside the package, kept as they were run."""

EVALUATOR = (
    *(
        "text",
        "errors",
        "finish",
        "loading",
        "lenient_json",
        "records",
        "stats",
        "grade",
        "benchmarks",
        "study",
        "store",
        "decide",
        "ask",
        "checks",
    ),
    *(
        "events",
        "counts",
        "preflight",
        "fidelity",
        "analyse",
        "report",
        "rebuild",
        "planning",
        "schedule",
        "pipeline",
        "endpoint",
        "demo",
        "",
        "commands",
        "cli",
        "reference",
    ),
    "__main__",
)
"""Modules and packages of evaluator/, the lowest first; the empty name is the package itself: the Python API."""
SERVERS = (
    *(
        "",
        "errors",
        "wording",
        "cache",
        "start_errors",
        "signals",
        "guard",
        "spec",
        "machine",
        "busy",
        "ports",
        "secrets",
        "http",
        "request",
    ),
    *(
        "process",
        "weights",
        "shapes",
        "served",
        "discover",
        "attach",
        "runtime",
        "thinking",
        "probe",
        "usage",
        "slots",
        "launch",
        "llama_router",
    ),
    *("serve", "__main__", "fake"),
)
"""Those of servers/."""
ORDER = [("servers", name) for name in SERVERS] + [("evaluator", name) for name in EVALUATOR]
FORBIDDEN = {
    ("evaluator", "ask"): {"grade", "decide", "stats"},  # it is handed "is this still wanted" and "a record came"
    ("servers", "fake"): set(SERVERS) - {"fake"},  # a fake that shared code with what it tests would prove nothing
}
"""What a package does not know although it stands below."""

AGAINST_THE_ORDER: dict[str, str] = {}
"""Modules that are not mended yet."""


def modules() -> Iterator[tuple[str, Path]]:
    for top in ("servers", "evaluator"):
        for file in sorted((ROOT / top).rglob("*.py")):
            path = file.relative_to(ROOT)
            if not path.as_posix().startswith(LEFT_OUT):
                parts = path.parent.parts if file.name == "__init__.py" else path.with_suffix("").parts
                yield ".".join(parts), file


FILES = dict(modules())


def imports(name: str, file: Path) -> set[str]:
    """Return the modules of this repository that a file imports, wherever in it the import stands."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    named: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            members = {alias.name for alias in node.names}
            if members == {"__version__"}:  # a constant at the top of the package, below everything
                continue
            named |= {full if (full := f"{origin}.{member}") in FILES else origin for member in members}
    return {module for module in named if module.partition(".")[0] in ("servers", "evaluator")} - {name}


IMPORTS: Mapping[str, set[str]] = {name: imports(name, file) for name, file in FILES.items()}


def place(module: str) -> tuple[str, str]:
    """Return the package and the entry of its order that a module belongs to."""
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def against_the_order(name: str) -> list[str]:
    mine = place(name)
    return sorted(
        other
        for other in IMPORTS[name]
        if ORDER.index(place(other)) > ORDER.index(mine)
        or (place(other)[0] == mine[0] and place(other)[1] in FORBIDDEN.get(mine, set()))
    )


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan 1972), each sorted."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == number[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return groups


def later(name: str) -> tuple[pytest.MarkDecorator, ...]:
    why = AGAINST_THE_ORDER.get(name)
    return (pytest.mark.xfail(strict=True, reason=why),) if why else ()


@pytest.mark.parametrize("name", [pytest.param(name, id=name, marks=later(name)) for name in FILES])
def test_a_module_imports_only_what_is_below_it(name: str) -> None:
    assert against_the_order(name) == []


@pytest.mark.parametrize(("package", "order"), [("servers", SERVERS), ("evaluator", EVALUATOR)], ids=str)
def test_the_order_names_what_there_is_once(package: str, order: tuple[str, ...]) -> None:
    assert {place(name)[1] for name in FILES if place(name)[0] == package} <= set(order)
    assert len(order) == len(set(order))


def test_no_imports_go_in_a_circle() -> None:
    assert circles(IMPORTS) == []


@pytest.mark.parametrize(
    ("graph", "groups"),
    [
        pytest.param({"a": {"b"}, "b": {"c"}, "c": set()}, [], id="a-line"),
        pytest.param({"a": {"b"}, "b": {"a"}}, [["a", "b"]], id="two"),
        pytest.param({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}, [["b", "c"]], id="behind-a-line"),
        pytest.param({"a": {"b"}, "b": {"a"}, "x": {"y", "a"}, "y": {"x"}}, [["a", "b"], ["x", "y"]], id="two-of-them"),
    ],
)
def test_circles_are_found(graph: dict[str, set[str]], groups: list[list[str]]) -> None:
    assert circles(graph) == groups


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("import servers.http", {"servers.http"}, id="module"),
        pytest.param("from servers import process, spec", {"servers.process", "servers.spec"}, id="from-package"),
        pytest.param("from servers.spec import Server", {"servers.spec"}, id="name"),
        pytest.param("from . import hub", {"servers.weights.hub"}, id="relative"),
        pytest.param("from ..spec import Server", {"servers.spec"}, id="relative-above"),
        pytest.param("def f():\n    import servers.http", {"servers.http"}, id="in-a-function"),
        pytest.param("if TYPE_CHECKING:\n    import servers.http", {"servers.http"}, id="for-type-checkers"),
        pytest.param("import os, asyncio.events", set(), id="elsewhere"),
        pytest.param("from evaluator import __version__", set(), id="version"),
    ],
)
def test_imports_are_read(source: str, expected: set[str], tmp_path: Path) -> None:
    file = tmp_path / "wheels.py"
    file.write_text(source)
    assert imports("servers.weights.wheels", file) == expected


HEAVY = {"asyncio", "gguf", "httpx2", "huggingface_hub", "jinja2", "matplotlib", "msgspec", "numpy", "psutil"} | {
    *("pynvml", "rich", "scipy", "ssl", "yaml"),
}
HELP = "from evaluator.cli import main; main(['--help'], standalone_mode=False)"


@pytest.mark.parametrize("start", [pytest.param("import evaluator", id="api"), pytest.param(HELP, id="help")])
def test_nothing_heavy_is_imported_at_the_start(start: str) -> None:
    script = f"import sys; before = set(sys.modules); {start}; print(*(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert HEAVY & set(ended.stdout.split()) == set()
