"""What the package looks like from outside: its modules by folder, who imports whom, and what is largest.

Imports for type checkers count like all others: a reader has to know both modules either way.  Nothing is imported to find that
out; the sources are parsed.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = "wheelfs"
_SHOWN: Final = 5

Circle = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: where it is defined, how long it is, and how many parameters it has besides its object."""

    name: str
    lines: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The modules of a package with the lines of each, what each imports of the package, and its functions."""

    lines: Mapping[str, int]
    imports: Mapping[str, frozenset[str]]
    functions: tuple[Function, ...]
    packages: frozenset[str]

    def folders(self) -> dict[str, list[str]]:
        """Return the modules of each folder by name, in order; ``__init__.py`` is the folder itself and not counted."""
        found: dict[str, list[str]] = defaultdict(list)
        for module in sorted(self.lines):
            if module not in self.packages:
                found[module.rpartition(".")[0]].append(module)
        return dict(found)

    def module_circles(self) -> list[Circle]:
        """Return the sets of modules that import each other in a circle."""
        return circles(self.imports)

    def sibling_circles(self) -> list[Circle]:
        """Return the sets of modules and folders of one folder that need each other in a circle, through whatever is in them."""
        found: list[Circle] = []
        for folder in sorted(self.packages):
            edges: dict[str, set[str]] = defaultdict(set)
            for module, targets in self.imports.items():
                here = _child(folder, module)
                for target in targets:
                    there = _child(folder, target)
                    if here is not None and there is not None and here != there:
                        edges[here].add(there)
            found += circles(edges)
        return found


def _child(folder: str, module: str) -> str | None:
    """Return the module or folder directly in ``folder`` that ``module`` is, or is in."""
    prefix = f"{folder}."
    return prefix + module.removeprefix(prefix).partition(".")[0] if module.startswith(prefix) else None


def circles(edges: Mapping[str, set[str] | frozenset[str]]) -> list[Circle]:
    """Return the strongly connected components with more than one node, each sorted (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[Circle] = []
    for root in sorted(edges):
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(sorted(edges[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    component, stack[at:] = stack[at:], []
                    if len(component) > 1:
                        found.append(tuple(sorted(component)))
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                work.append((target, iter(sorted(edges.get(target, ())))))
            elif target in stack:
                low[node] = min(low[node], index[target])
    return sorted(found)


def read_graph(root: Path = ROOT, package: str = PACKAGE) -> Graph:
    """Return the graph of ``package``, whose directory is in ``root``."""
    paths = {_name(path.relative_to(root)): path for path in sorted((root / package).rglob("*.py"))}
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in paths.items()}
    return Graph(
        lines={module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in paths.items()},
        imports={module: frozenset(_imports(tree, paths)) - {module} for module, tree in trees.items()},
        functions=tuple(function for module, tree in trees.items() for function in _functions(tree, module)),
        packages=frozenset(module for module, path in paths.items() if path.name == "__init__.py"),
    )


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    """Yield the modules of the package that a module imports; this project writes no relative imports (ruff)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in known else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def _functions(tree: ast.AST, within: str) -> Iterator[Function]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{within}.{node.name}"
            yield Function(name, (node.end_lineno or node.lineno) - node.lineno + 1, _parameters(node.args))
            yield from _functions(node, name)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{within}.{node.name}")
        else:
            yield from _functions(node, within)


def _parameters(arguments: ast.arguments) -> int:
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    own = names[1:] if names[:1] in (["self"], ["cls"]) else names
    return len(own) + len(arguments.kwonlyargs) + bool(arguments.vararg) + bool(arguments.kwarg)


def report(graph: Graph) -> Iterator[str]:
    """Yield what is to be printed."""
    edges = sum(map(len, graph.imports.values()))
    yield f"{len(graph.lines)} modules, {edges} imports of one another"
    for folder, modules in sorted(graph.folders().items()):
        yield f"  {folder}: {len(modules)} ({', '.join(module.rpartition('.')[2] for module in modules)})"
    for what, found in (("modules", graph.module_circles()), ("siblings", graph.sibling_circles())):
        yield f"circles of {what}: {len(found) or 'none'}"
        yield from (f"  {', '.join(circle)}" for circle in found)
    yield "longest modules"
    yield from (f"  {lines} lines  {module}" for module, lines in _most(graph.lines.items()))
    yield "longest functions"
    yield from (f"  {lines} lines  {name}" for name, lines in _most((one.name, one.lines) for one in graph.functions))
    yield "most parameters"
    yield from (f"  {count}  {name}" for name, count in _most((one.name, one.parameters) for one in graph.functions))


def _most(pairs: Iterable[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    return sorted(pairs, key=lambda pair: -pair[1])[:_SHOWN]


def main() -> int:
    """Print the report; the exit code is 1 where something imports in a circle."""
    argparse.ArgumentParser(description="Show who imports whom in the package, and what is largest.").parse_args()
    graph = read_graph()
    for line in report(graph):
        print(line)
    return 1 if graph.module_circles() or graph.sibling_circles() else 0


if __name__ == "__main__":
    sys.exit(main())
