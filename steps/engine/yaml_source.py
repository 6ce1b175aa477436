"""YAML as people expect it, with the place of everything.

Scalars follow YAML 1.2 (`no`, `on`, `12:30` and `012` are strings), a key written twice is refused, and every value remembers
its line, so that an error of a model can say file:line:column.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rollout_conformance.steps.engine import text_file
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import Location, SuiteError
from rollout_conformance.steps.engine.suggestions import similar_names

BLOCK = "the text block"  # what a document is called that stands below a sentence of a feature
NOT_CLOSED = "found unexpected end of stream"
SAID = {
    "but found another document": "a second document begins here (`---`); write one document a file",
    "found a tab character that violates indentation": "a tab; indent with spaces",
    "did not find expected ',' or '}'": "a `{` is not closed, or a text in it needs quotes: one with `,`, `: ` or a bracket",
    "did not find expected ',' or ']'": "a `[` is not closed, or a text in it needs quotes: one with `,`, `: ` or a bracket",
    "found character '\\t' that cannot start any token": "a tab; indent with spaces",
    "mapping values are not allowed in this context": "`:` after what is no key: the line is indented otherwise than the keys of its mapping, "
    "or a text with `: ` needs quotes",
    "did not find expected key": "no key: the line is indented otherwise than the keys of its mapping, or something stands behind a quoted text",
    "did not find expected '-' indicator": "no `- `: the line is indented otherwise than the items of its list",
    "block sequence entries are not allowed in this context": "a list begins on a line of its own below its key; or write [a, b]",
    "did not find expected node content": "a value is missing, or a bracket closes nothing",
    "found unknown escape character": "this `\\` begins no escape that YAML knows; write `\\\\`, or put the text in single quotes",
    "did not find expected comment or line break": "nothing may stand behind `|` or `>`: the text begins on the next line",
    NOT_CLOSED: "the quotation mark here is not closed",
}
NO_BEGINNING = "found character that cannot start any token"
TAG = re.compile(r"could not determine a constructor for the tag '([^']*)'")
Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]

DEEPEST = 100  # levels
MOST_NODES = 200_000


class _Core(yaml.CSafeLoader):
    """PyYAML's C loader with the scalar rules of YAML 1.2's core schema."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """A value that Python cannot make of what was written is a mistake with a place."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError) as error:
            shown = f"{str(node.value)[:40]!r} cannot be read as {node.tag.rpartition(':')[2]}: {error}"
            raise yaml.constructor.ConstructorError(None, None, shown, node.start_mark) from error


_Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        "-+.0123456789",
    ),
):
    _Core.add_implicit_resolver(tag, re.compile(rf"^(?:{pattern})$"), list(first) + ([""] if "~" in first else []))


def members(block: str) -> dict[str, object]:
    """The members that a text block holds. Raises `SuiteError` for anything else."""
    source = parse(block, BLOCK)
    if not isinstance(source.value, dict):
        raise source.problem((), f"the text block holds members, as `key: value`; seen: {source.value!r}")
    return source.value


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed document: `value`, and `places` from the path of each value to its (line, column), both from 1."""

    file: str
    value: Any
    places: Mapping[Path_, tuple[int, int]]

    def at(self, path: Path_) -> Location:
        """The place of a value, or of the nearest thing around it that was written down."""
        return Location(self.file, *self._nearest(path))

    def _nearest(self, path: Path_) -> tuple[int, int]:
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Path_, message: str) -> SuiteError:
        line, column = self._nearest(path)
        where = ".".join(str(part) for part in path)
        return SuiteError(f"{self.file}:{line}:{column}: {where + ': ' if where else ''}{message}")


def read(file: Path, shown: str | None = None) -> Source:
    """Parse a file. Raises `SuiteError` with file:line:column for anything that is not one plain YAML document."""
    shown = shown or str(file)
    try:
        return parse(text_file.read(file, shown), shown)
    except OSError as error:
        raise SuiteError(f"{shown}: cannot be read: {error.strerror}") from error


def parse(text: str, shown: str) -> Source:
    try:
        _bounded(text, shown)
        loader = _Core(text)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, shown, text) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SuiteError(
            f"{shown}:{line}:1: not YAML: the character {chr(error.character)!r} is not allowed"
        ) from error
    try:
        node = loader.get_single_node()
        if node is None:
            raise SuiteError(
                f"{shown}:1:1: the file is empty; write `cases:` and a case below it, or let `new case` do so"
            )
        places: dict[Path_, tuple[int, int]] = {}
        _walk(node, (), places, shown)
        return Source(shown, loader.construct_document(node), places)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, shown, text) from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{shown}: not YAML: {error}") from error
    finally:
        loader.dispose()


def _not_yaml(error: yaml.MarkedYAMLError, shown: str, text: str) -> SuiteError:
    mark = error.context_mark if error.problem == NOT_CLOSED else error.problem_mark
    where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    problem = error.problem or ""
    if tag := TAG.search(problem):
        return SuiteError(
            f"{where}: the tag {tag[1]!r} is not read; remove it (`!!...` or `!...`) and write a plain value"
        )
    if problem == NO_BEGINNING and mark is not None:
        lines = text.splitlines()
        seen = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
        told = "a tab; indent with spaces" if seen == "\t" else f"no value begins with {seen!r}; put the text in quotes"
        return SuiteError(f"{where}: not YAML: {told}")
    return SuiteError(f"{where}: not YAML: {SAID.get(problem, problem)}")


def _bounded(text: str, shown: str) -> None:
    """Refuse what only a machine writes, before anything is built of it: the depth, and the size with every alias written out."""
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        anchor = getattr(event, "anchor", None)
        problem = None
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                problem = f"the alias *{anchor} stands for nothing that is complete before it"
            total += sizes.get(str(anchor), 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            begun.append((anchor, total))
            if len(begun) > DEEPEST:
                problem = f"nested deeper than {DEEPEST} levels"
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = begun.pop()
            if name is not None:
                sizes[name] = total - before + 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if anchor is not None:
                sizes[anchor] = 1
        if total > MOST_NODES:
            problem = f"more than {MOST_NODES:,} values, with its aliases written out"
        if problem is not None:
            mark: Any = event.start_mark
            raise SuiteError(f"{shown}:{mark.line + 1}:{mark.column + 1}: {problem}")


def _walk(node: yaml.Node, path: Path_, places: dict[Path_, tuple[int, int]], shown: str) -> None:
    places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for n, child in enumerate(node.value):
            _walk(child, (*path, n), places, shown)
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(node, path, places, shown)


def _walk_mapping(node: yaml.MappingNode, path: Path_, places: dict[Path_, tuple[int, int]], shown: str) -> None:
    seen: dict[str, int] = {}
    for key, child in node.value:
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if key.value == "<<":
            raise SuiteError(f"{shown}:{line}:{column}: merge keys (`<<`) are not read; write the members out")
        if not isinstance(key, yaml.ScalarNode):
            raise SuiteError(f"{shown}:{line}:{column}: a key is a word, not a list or a mapping. Put it in quotes.")
        if key.value in seen:
            raise SuiteError(
                f"{shown}:{line}:{column}: the key {key.value!r} was already written in line {seen[key.value]}; "
                "the first one would be lost. Keep one."
            )
        seen[key.value] = line
        _walk(child, (*path, key.value), places, shown)
        places[(*path, key.value)] = (line, column)


def validated(model: type[Model], source: Source, value: object = None, path: Path_ = ()) -> Model:
    """`value` (default: the whole document) as `model`. Raises `SuiteError` with all that is wrong, a line each with its place."""
    given = source.value if value is None else value
    wrong = texts_for_numbers(model, given)
    try:
        made = model.model_validate(given)
    except ValidationError as error:
        wrong = list({**dict(wrong), **dict(explained(error, model))}.items())
    problems = ErrorCollector()
    for loc, told in wrong:
        problems.add(str(source.problem((*path, *loc), told)))
    problems.conclude()
    return made


def texts_for_numbers(model: type[BaseModel], value: object) -> list[tuple[Path_, str]]:
    """Where a text, or true, stands for a number: pydantic would take it, and what was meant is not what was written."""
    try:
        model.model_validate(value, strict=True)
    except ValidationError as error:
        found: dict[Path_, list[Any]] = {}
        for one in error.errors(include_url=False):
            found.setdefault(_real(one["loc"]), []).append(one)
        return [(loc, _as_number(errors[0])) for loc, errors in found.items() if all(map(_is_no_number, errors))]
    return []


def _is_no_number(error: Any) -> bool:
    return error["type"] in NUMBERS and isinstance(error["input"], str | bool)


def _as_number(error: Any) -> str:
    seen = error["input"]
    hint = ", without quotes" if isinstance(seen, str) and re.fullmatch(r"-?[\d.]+", seen) else ""
    return f"{TYPES[error['type']]}{hint}; seen: {seen!r}"


def explained(error: ValidationError, model: type[BaseModel] | None = None) -> list[tuple[Path_, str]]:
    """What is wrong and where, one line for each value: a union says for each of its members why it is not that one."""
    found: dict[Path_, list[object]] = {}
    for one in error.errors(include_url=False):
        found.setdefault(_real(one["loc"]), []).append(one)
    return [(loc, _explain(loc, errors, model)) for loc, errors in found.items()]


def _real(loc: tuple[Any, ...]) -> Path_:
    # pydantic names the member of a union in the path; such a name is never a key of the document
    return tuple(
        part for part in loc if not (isinstance(part, str) and re.search(r"[A-Z\[(]|^(str|int|constrained-)", part))
    )


def _explain(loc: Path_, errors: list[Any], model: type[BaseModel] | None) -> str:
    # Of the members of a union the one is meant that fits by its type.
    telling = [one for one in errors if not one["type"].endswith(("_type", "_parsing"))] or errors
    error = telling[0]
    if error["type"] in NUMBERS and isinstance(error["input"], str):
        return _as_number(error)
    if error["type"] == "extra_forbidden":
        return _unknown_key(loc, model)
    if error["type"] == "missing":
        return f"the key {str(loc[-1])!r} is missing"
    known = TYPES.get(error["type"])
    message = known.format(**error.get("ctx", {})) if known else str(error["msg"]).removeprefix("Value error, ")
    shown = "nothing" if error["input"] is None else repr(error["input"])
    seen = "" if error["type"] == "value_error" else f"; seen: {shown}"
    return f"{message}{seen}"[:400]


def _unknown_key(loc: Path_, model: type[BaseModel] | None) -> str:
    """An unknown key, with those that are near; where none is, with those that there are in its place."""
    key = str(loc[-1])
    told = f"unknown key {key!r}."
    if model is None:
        return told
    schema = model.model_json_schema()
    if found := similar_names(key, _keys(schema)):
        return f"{told} Did you mean {' or '.join(found)}?"
    here = _keys_at(schema, loc[:-1])
    return f"{told} Known here: {', '.join(here)}." if here else told


NUMBERS = ("int_type", "float_type")
TYPES = {
    "model_type": "these are members, as `key: value`",
    "dict_type": "these are members, as `key: value`",
    "list_type": "this is a list, as `[one, another]`, or a line with a dash for each",
    "tuple_type": "this is a list, as `[one, another]`, or a line with a dash for each",
    "string_type": "this is a text; one that looks like a number, like `true` or like nothing stands in quotes",
    "int_type": "this is a whole number",
    "float_type": "this is a number",
    "bool_type": "this is true or false",
    "less_than_equal": "this is at most {le:g}",
    "greater_than_equal": "this is at least {ge:g}",
    "greater_than": "this is more than {gt:g}",
    "invalid_key": "the name of a member is a text. A comma ends a member: write a number with a point, as 0.5",
    "date_from_datetime_parsing": "this is a day, as 2027-01-31",
    "date_parsing": "this is a day, as 2027-01-31",
    "date_type": "this is a day, as 2027-01-31",
    "int_parsing": "this is a whole number",
    "float_parsing": "this is a number",
    "finite_number": "this is a number that can be reached",
    "literal_error": "this is one of {expected}",
    "string_too_short": "this is empty",
    "too_short": "this is empty; write at least one",
}


def _keys(schema: Mapping[str, Any]) -> list[str]:
    """Every key that may occur anywhere in the model, for suggestions."""
    keys: set[str] = set(schema.get("properties", {}))
    for definition in schema.get("$defs", {}).values():
        keys |= set(definition.get("properties", {}))
    return sorted(keys)


def _keys_at(schema: Mapping[str, Any], path: Path_) -> list[str]:
    """The keys that the object at a path may have, in their order; empty where it may have any."""
    at = [schema]
    for part in path:
        inner = (one.get("items" if isinstance(part, int) else "properties", {}) for one in at)
        at = [meant for one in inner for meant in _meant(one if isinstance(part, int) else one.get(part, {}), schema)]
    return list(dict.fromkeys(key for one in at for key in one.get("properties", {})))


def _meant(one: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A part of a schema, or each of those that may stand for it."""
    if "$ref" in one:
        return [schema["$defs"][str(one["$ref"]).rpartition("/")[2]]]
    return [meant for inner in one.get("anyOf", ()) for meant in _meant(inner, schema)] or [one]
