"""The text that stands below each member of a dataclass in its source: Python keeps it nowhere, and the schema and the vocabulary show it."""

import ast
import functools
import inspect
import itertools
import linecache
from collections.abc import Iterator, Mapping


@functools.cache
def member_docs(kind: type) -> Mapping[str, str]:
    """The text of each member that has one, those of the bases too."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        for before, after in itertools.pairwise(_body(one)):
            if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and _is_text(after):
                found[before.target.id] = inspect.cleandoc(ast.literal_eval(after.value))  # type: ignore[attr-defined]
    return found


def _body(kind: type) -> list[ast.stmt]:
    """Its statements; none where there is no source."""
    try:
        file = inspect.getsourcefile(kind)
    except (OSError, TypeError):
        return []
    found = _classes(file).get(kind.__qualname__) if file else None
    return found.body if found else []


@functools.cache
def _classes(file: str) -> Mapping[str, ast.ClassDef]:
    """The classes of a file by their qualified names. It is parsed once: `inspect.getsource` does so for every class."""
    return dict(_named(ast.parse("".join(linecache.getlines(file))), ""))


def _named(node: ast.AST, path: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield path + child.name, child
            yield from _named(child, f"{path}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _named(child, f"{path}{child.name}.<locals>.")
        elif isinstance(child, ast.stmt):
            yield from _named(child, path)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
