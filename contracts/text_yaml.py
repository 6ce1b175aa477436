"""YAML of the contracts: every scalar is text (`no`, `422`), and a mapping has each key once.

Used by the readers of catalogues and registers; it knows neither, and any module may import it.
"""

from collections.abc import Hashable
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """An entry without unknown members."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextLoader(yaml.CBaseLoader):
    """Loads every scalar as a string, and rejects a mapping with a duplicate key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} appears twice in one mapping; write it once"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parsed(text: str) -> Any:
    """The value of a YAML document. Raises `yaml.MarkedYAMLError`."""
    return yaml.load(text, Loader=TextLoader)  # noqa: S506 (it constructs only strings)
