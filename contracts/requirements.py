"""The catalogue of requirements: one sentence each, with an id, a level and a source.

Reads the requirements.yaml of a profile into frozen values and rejects an invalid catalogue. It knows no profile: the dialects, topics
and capabilities that an entry may name are declared in the same file. It judges nothing, and any module may import it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from rollout_conformance.contracts import text_yaml
from rollout_conformance.contracts.text_yaml import Strict, Text, TextLoader

Level = Literal["must", "should", "may"]
LEVELS: tuple[Level, ...] = get_args(Level)
# The part of the suite that gives the evidence: a check of every trace, the expectations of a written case, generated requests, exploration.
Method = Literal["invariant", "case", "fuzzing", "exploration"]


class CatalogueError(ValueError):
    """An invalid catalogue. The text names every invalid entry and what to write instead."""


@dataclass(frozen=True, slots=True)
class Requirement:
    id: str
    sentence: str
    level: Level
    dialects: tuple[str, ...]
    topic: str
    source: str
    why: str | None
    judged: str | None
    judged_by: tuple[Method, ...]
    not_judged: str | None
    accepts: tuple[str, ...]
    decision: str | None
    needs: tuple[str, ...]
    explains: tuple[str, ...] = ()

    @property
    def fuzzed(self) -> bool:
        """Whether only generated requests judge it, and no written case."""
        return self.judged_by == ("fuzzing",)


def load(path: Path) -> dict[str, Requirement]:
    """The requirements in `path` by id, in the order of the file. Raises `CatalogueError` for an invalid file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: not UTF-8 at byte {error.start}") from None
    try:
        raw = text_yaml.parsed(text)
        catalogue = _Catalogue.model_validate(raw)
    except yaml.MarkedYAMLError as broken:
        where = f"{path}:{broken.problem_mark.line + 1}" if broken.problem_mark else str(path)
        raise CatalogueError(f"{where}: {broken.problem}") from None
    except ValidationError as wrong:
        raise _located(path, text, _explained(wrong, raw)) from None
    if problems := [*_problems(catalogue)]:
        raise _located(path, text, problems)
    return {entry.id: entry.frozen() for entry in catalogue.requirements}


def capabilities(path: Path) -> dict[str, str]:
    """The capabilities that the catalogue in `path` declares, by name: what a target with each of them does."""
    raw = text_yaml.parsed(path.read_text(encoding="utf-8"))
    return _Catalogue.model_validate(raw).capabilities


Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


class _Entry(Strict):
    id: Annotated[str, Field(pattern=r"^[A-Z]+-\d{3}$")]
    sentence: Text
    level: Level
    dialects: Texts
    topic: Text
    source: Text
    why: Text | None = None
    judged: Text | None = None
    judged_by: Annotated[tuple[Method, ...], Field(min_length=1)] | None = None
    not_judged: Text | None = None
    accepts: Texts | None = None
    decision: Text | None = None
    needs: Texts | None = None
    explains: Texts | None = None

    def frozen(self) -> Requirement:
        return Requirement(
            **{
                **dict(self),
                "judged_by": self.judged_by or (),
                "accepts": self.accepts or (),
                "needs": self.needs or (),
                "explains": self.explains or (),
            }
        )


class _Catalogue(Strict):
    profile: Text
    words: dict[str, Text] = Field(default_factory=dict)
    dialects: dict[str, Text]
    topics: dict[str, Text]
    capabilities: dict[str, Text] = Field(default_factory=dict)
    requirements: Annotated[list[_Entry], Field(min_length=1)]


Problem = tuple[tuple[str | int, ...], str]  # the path of the value in the file, and what is wrong with it


def _located(path: Path, text: str, problems: Iterable[Problem]) -> CatalogueError:
    """The problems, each with the line of the value, or of what it is missing from."""
    root = yaml.compose(text, Loader=TextLoader)
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


def _problems(catalogue: _Catalogue) -> Iterator[Problem]:
    seen: set[str] = set()
    ids = {entry.id for entry in catalogue.requirements}
    for number, entry in enumerate(catalogue.requirements):
        for field, problem in _entry_problems(catalogue, entry, entry.id in seen):
            yield ("requirements", number, field), problem
        for unknown in sorted(set(entry.explains or ()) - ids):
            yield (
                ("requirements", number, "explains"),
                f"{entry.id}: explains: saw {unknown!r}, which is no id of this file",
            )
        seen.add(entry.id)


def _entry_problems(catalogue: _Catalogue, entry: _Entry, repeated: bool) -> Iterator[tuple[str, str]]:
    prefix = f"{catalogue.profile.upper()}-"
    if repeated:
        yield "id", f"{entry.id}: saw this id twice; write a new number, ids are never shared"
    if not entry.id.startswith(prefix):
        yield "id", f"{entry.id}: saw an id of another profile; write {prefix} and three digits"
    if (judges := (entry.judged is not None) + (entry.not_judged is not None)) != 1:
        yield "judged", f"{entry.id}: saw {'both' if judges else 'neither'} of judged and not_judged; write one of them"
    if (entry.judged is None) != (entry.judged_by is None):
        yield "judged_by", f"{entry.id}: saw one of judged and judged_by without the other; write both"
    word = entry.level.upper()
    if (words := set(re.findall(r"\b(?:MUST|SHOULD|MAY)\b", entry.sentence))) != {word}:
        saw = " and ".join(sorted(words)) or "no such word"
        yield (
            "sentence",
            f"{entry.id}: sentence: saw {saw} at level {entry.level}; write {word} and no other of these words",
        )
    for field, names, declared in (
        ("dialects", entry.dialects, catalogue.dialects),
        ("topic", (entry.topic,), catalogue.topics),
        ("needs", entry.needs or (), catalogue.capabilities),
    ):
        for name in sorted(set(names) - set(declared)):
            yield field, f"{entry.id}: {field}: saw {name!r}; write one of {', '.join(declared)}"


_SAW = {"missing": "nothing", "extra_forbidden": "a key that does not exist"}
_WRITE = {
    "missing": "it, the key is required",
    "literal_error": f"one of {', '.join(LEVELS)}",
    "string_pattern_mismatch": "capitals, a dash and three digits, such as ROLLOUT-048",
    "string_too_short": "some text",
    "too_short": "at least one item",
    "tuple_type": "a list",
}


def _explained(wrong: ValidationError, raw: Any) -> Iterator[Problem]:
    """One line per pydantic error: the entry, the key, the value in the file, and what to write instead."""
    for error in wrong.errors():
        match error["loc"]:
            case ("requirements", int(number), *rest):
                entry = raw["requirements"][number]
                name = entry.get("id") if isinstance(entry, dict) else None
                who, known = f"{name or f'entry {number + 1}'}: ", _Entry.model_fields
            case rest:
                who, known = "", _Catalogue.model_fields
        key = ".".join(map(str, rest)) or "the file"
        write = {**_WRITE, "extra_forbidden": f"one of {', '.join(known)}"}
        kind = error["type"]
        yield (
            error["loc"],
            f"{who}{key}: saw {_SAW.get(kind, repr(error['input']))}; write {write.get(kind, error['msg'])}",
        )
