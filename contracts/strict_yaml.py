"""YAML of the contracts: every scalar is a string, and a key that is written twice is an error."""

from collections.abc import Hashable
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


def read(path: Path) -> Any:
    """The content of a file. Raises `CatalogueError` with file and line for one that is no YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (it constructs only strings)
    except yaml.MarkedYAMLError as broken:
        where = f"{path}:{broken.problem_mark.line + 1}" if broken.problem_mark else str(path)
        raise CatalogueError(f"{where}: {broken.problem}") from None
