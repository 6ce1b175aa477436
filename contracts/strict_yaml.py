"""YAML of the contracts: every scalar is a string, and a key that is written twice is an error."""

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml


class CatalogueError(ValueError):
    """An invalid file of the contracts. The text names every invalid entry and what to write instead."""


class _Loader(yaml.CBaseLoader):
    """Loads every scalar as a string (`no`, `422`), and rejects a mapping with a duplicate key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} appears twice in one mapping; write it once"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


Problem = tuple[tuple[str | int, ...], str]  # the path of the value in the file, and what is wrong with it


def read(path: Path) -> Any:
    """The content of a file. Raises `CatalogueError` with file and line for one that is no YAML."""
    try:
        return yaml.load(_text(path), Loader=_Loader)  # noqa: S506 (it constructs only strings)
    except yaml.MarkedYAMLError as broken:
        where = f"{path}:{broken.problem_mark.line + 1}" if broken.problem_mark else str(path)
        raise CatalogueError(f"{where}: {broken.problem}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: not UTF-8 at byte {error.start}") from None


def located(path: Path, problems: Iterable[Problem]) -> CatalogueError:
    """The problems, each with the line of the value, or of what it is missing from."""
    root = yaml.compose(_text(path), Loader=_Loader)
    return CatalogueError("\n".join(f"{path}:{_line(root, keys)}: {problem}" for keys, problem in problems))


def _line(node: yaml.Node | None, keys: tuple[str | int, ...]) -> int:
    line = node.start_mark.line + 1 if node is not None else 1
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), None)
        else:
            return line
        if node is None:
            return line
        line = node.start_mark.line + 1
    return line
