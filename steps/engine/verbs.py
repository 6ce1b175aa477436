"""A verb of a case: one frozen dataclass from which all else is derived, namely how it is written in YAML and in Gherkin, the
JSON Schema that editors complete with, and its entry on the page of the vocabulary.

    @verb("wait_for_status", short="path", example="{path: /health, statuses: [503]}")
    @phrase("GET {path:path} eventually returns {statuses:statuses}")
    @dataclass(frozen=True, slots=True)
    class WaitForStatus:
        "Repeat a GET until it is answered with one of the statuses."
        path: str
        "Path and query, beginning with `/`."
        statuses: tuple[int, ...]
        "The statuses to wait for."

        async def perform(self, session): ...
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Generic, get_origin

from pydantic import TypeAdapter
from typing_extensions import TypeVar

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.member_docs import member_docs
from rollout_conformance.steps.engine.phrase_types import TYPES, PhraseType, choice, choices
from rollout_conformance.steps.engine.verb_checks import PLACEHOLDER, definition_mistakes, location_of
from rollout_conformance.steps.engine.verb_parsing import hints, literals, made, members, type_mistakes

T = TypeVar("T", bound=type)
B = TypeVar("B", covariant=True, bound=Action | Expectation, default=Action | Expectation)
_NUMBERS: Mapping[object, str] = {int: "int", int | None: "int", float: "number", float | None: "number"}
_ATTRIBUTE_VERB, _ATTRIBUTE_PHRASES = "__verb__", "__phrases__"
BLOCK, TABLE = "docstring", "datatable"  # as pytest-bdd calls what stands below a sentence


@dataclass(frozen=True, slots=True)
class Phrase:
    """One sentence of Gherkin that stands for a verb.

    `template` has `{member}` or `{member:type}` where a value stands, and `(s)` where letters may be left out. `fixed` are the members
    that the sentence always means. `block` is the member that the text block below the sentence gives (as YAML members), `table` the one
    that its table gives (a list of rows). `keyword` is given, when or then. `example` has what stands in the place of a member, or below the
    sentence, where it is shown to readers and the examples of the verb do not fit.
    """

    template: str
    fixed: Mapping[str, object] = field(default_factory=dict)
    block: str = ""
    table: str = ""
    keyword: str = ""
    example: Mapping[str, str] = field(default_factory=dict)

    def placeholders(self) -> list[tuple[str, str]]:
        """(member, type or nothing) in the order of the sentence."""
        return PLACEHOLDER.findall(self.template)


@dataclass(frozen=True, slots=True)
class Verb(Generic[B]):
    """`short` is the member that a value alone stands for; `examples` are values as they are written in YAML, in flow style."""

    name: str
    kind: type[B]
    short: str = ""
    examples: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    before: Callable[[dict[str, Any]], Mapping[str, object]] | None = None

    @property
    def _hashable(self) -> type:  # which mypy does not take a `type[B]` for
        return self.kind

    @property
    def is_action(self) -> bool:
        return issubclass(self._hashable, Action)

    def read(self, written: object) -> B:
        """The value that was written in YAML. Raises `ValueError` with what is wrong with it."""
        return self.build(members(written, self.short, [one.name for one in _fields(self._hashable)]))

    def build(self, given: Mapping[str, object]) -> B:
        """The value with these members. Raises `ValueError` with what is wrong with them."""
        return made(self.kind, self.before(dict(given)) if self.before else given)

    def type_of(self, member: str, named: str) -> PhraseType:
        """The type of a placeholder: the one that it names, else that of its member."""
        if named:
            return TYPES[named]
        hint, allowed = hints(self._hashable)[member], literals(self._hashable).get(member)
        if allowed is not None:
            return choices(allowed) if get_origin(hint) is tuple else choice(allowed)
        if get_origin(hint) is tuple:
            return TYPES["names"]
        return TYPES[_NUMBERS.get(hint, "text")]

    def pattern(self, phrase: Phrase) -> str:
        """The regular expression of a sentence, with a group for each member."""
        at, parts = 0, []
        for found in PLACEHOLDER.finditer(phrase.template):
            parts.append(_literal(phrase.template[at : found.start()]))
            parts.append(f"(?P<{found[1]}>{self.type_of(found[1], found[2]).pattern})")
            at = found.end()
        return "".join([*parts, _literal(phrase.template[at:])])

    def from_phrase(self, phrase: Phrase, said: Mapping[str, str], block: object = None, table: object = None) -> B:
        """The value that a sentence means. `said` are the texts of its placeholders. Raises `ValueError` for what is none."""
        types = dict(phrase.placeholders())
        given = dict(phrase.fixed)
        given |= {member: self.type_of(member, types[member]).convert(text) for member, text in said.items()}
        if phrase.block:
            given[phrase.block] = block
        if phrase.table:
            given[phrase.table] = table
        return self.build(given)

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.kind) or ""

    @property
    def members(self) -> "list[Member]":
        return members_of(self.kind)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a verb, with the text that stands below it in the class."""

    name: str
    hint: Any
    default: Any
    factory: Any
    doc: str

    @property
    def is_needed(self) -> bool:
        return self.default is MISSING and self.factory is MISSING

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its value."""
        made = TypeAdapter(self.hint).json_schema()
        made.pop("title", None)
        if made.get("type") == "array" and "items" in made:
            made = {"anyOf": [made, made["items"]]}  # a value alone is a list of one
        return ({"description": self.doc} if self.doc else {}) | made


def members_of(kind: type) -> list[Member]:
    """The members of a dataclass, a verb or a part of one, with their texts: its own before those that it shares with others."""
    docs, types = member_docs(kind), hints(kind)
    return [
        Member(one.name, types[one.name], one.default, one.default_factory, docs.get(one.name, ""))
        for one in _fields(kind)
    ]


@functools.cache
def _fields(kind: type) -> tuple[Field[Any], ...]:
    return tuple(one for one in sorted(fields(kind), key=lambda one: one.kw_only is True) if one.init)


def object_schema(kind: type) -> dict[str, object]:
    """The JSON Schema of a value of a dataclass that is written as an object with its members."""
    members = members_of(kind)
    needed = [one.name for one in members if one.is_needed]
    whole: dict[str, object] = {"type": "object", "properties": {one.name: one.schema for one in members}}
    return whole | ({"required": needed} if needed else {}) | {"additionalProperties": False}


def verb(
    name: str,
    short: str = "",
    example: str | Iterable[str] = (),
    before: Callable[[dict[str, Any]], Mapping[str, object]] | None = None,
) -> Callable[[T], T]:
    """Make a dataclass the verb `name`. `before` changes what was written before it is checked: for short forms that a type cannot say."""
    examples = (example,) if isinstance(example, str) else tuple(example)

    def decorate(kind: T) -> T:
        phrases = kind.__dict__.get(_ATTRIBUTE_PHRASES, ())
        setattr(kind, _ATTRIBUTE_VERB, Verb(name, kind, short, examples, phrases, before))
        return kind

    return decorate


def phrase(
    template: str,
    /,
    block: str = "",
    table: str = "",
    keyword: str = "",
    example: Mapping[str, str] | None = None,
    **fixed: object,
) -> Callable[[T], T]:
    """Give the verb below a sentence. Several are listed in the order in which they are written."""

    def decorate(kind: T) -> T:
        known = kind.__dict__.get(_ATTRIBUTE_PHRASES, ())
        setattr(kind, _ATTRIBUTE_PHRASES, (Phrase(template, fixed, block, table, keyword, example or {}), *known))
        return kind

    return decorate


def verb_of(kind: type[B]) -> Verb[B]:
    found: Verb[B] = getattr(kind, _ATTRIBUTE_VERB)
    return found


class VocabularyError(SuiteError):
    """A mistake in the definition of a verb, which is its author's. The text has a line for each, with file and line."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The verbs of a profile by their names."""

    actions: Mapping[str, Verb]
    expectations: Mapping[str, Verb]

    @classmethod
    def of(cls, *kinds: type, also: "Vocabulary | None" = None) -> "Vocabulary":
        """Of these classes, and of another vocabulary. Raises `VocabularyError` that lists what is wrong with their definitions."""
        actions = dict(also.actions) if also else {}
        expectations = dict(also.expectations) if also else {}
        mistakes: list[str] = []
        for kind in kinds:
            one = getattr(kind, _ATTRIBUTE_VERB, None)
            if not isinstance(one, Verb) or one.kind is not kind:
                told = f'{kind.__name__} is not a verb; write @verb("name") above its @dataclass'
                mistakes.append(f"{location_of(kind)}: {told}")
                continue
            mistakes += (f"{location_of(kind)}: {mistake}" for mistake in definition_mistakes(one))
            known = actions if one.is_action else expectations
            if one.name in known:
                both = f"{known[one.name].kind.__name__}, {kind.__name__}"
                mistakes.append(f"{location_of(kind)}: two verbs are called {one.name}: {both}")
            known[one.name] = one
        if mistakes:
            raise VocabularyError("\n".join(mistakes))
        return cls(actions, expectations)

    def type_mistakes(self) -> Iterator[str]:
        """The members whose types can hold no value that is written in YAML, with the place of their class."""
        for one in self:
            yield from (f"{location_of(one.kind)}: {mistake}" for mistake in type_mistakes(one.kind))

    def __iter__(self) -> Iterator[Verb]:
        yield from self.actions.values()
        yield from self.expectations.values()


def _literal(text: str) -> str:
    """The pattern of plain text, in which `(s)` may be left out."""
    return re.sub(r"\\\((\w+)\\\)", r"(?:\1)?", re.escape(text)).replace(r"\ ", " ")
