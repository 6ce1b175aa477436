"""The target card: what a target is, has and needs, in a small YAML file. These are the members that every profile has.

A profile adds its own in a class of its own. What the card does not declare and the target does not show is skipped with that reason,
never guessed.
"""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.suggestions import unknown_name

MOST_START_S = 900.0
MOST_PATIENCE_S = 120.0  # as long as a case may take
SECRET_NAME = re.compile(r"key|token|secret|auth|passw|cookie|credential|signature", re.IGNORECASE)
SECRET_MEMBER = re.compile(r'"[\w-]*(?:key|token|secret|passw)[\w-]*"\s*:\s*"((?:[^"\\]|\\.)+)"', re.IGNORECASE)


class Limits(BaseModel):
    """The target's own limits. A limit that is not declared is not tested; the members are those of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def shortest(self) -> float | None:
        """The shortest of the limits in seconds, None where none is declared."""
        return None

    def longest(self) -> float:
        """The longest that the target may be silent of its own right."""
        return 0.0


class Variant(Limits):
    """The same target configured otherwise: more environment, perhaps another key."""

    env: dict[str, str] = Field(default_factory=dict, description="environment variables beside those of the card")
    key: str | None = Field(None, description="the key of this variant; an empty string is none")


class SoakBounds(BaseModel):
    """What a soak must not go beyond. Without a bound, what was measured is shown and not judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p99_s: float | None = Field(None, gt=0, description="99 of 100 requests of each class are answered within this")
    memory_growth_mib: float | None = Field(
        None, gt=0, description="how much more memory the target may have at the end than after a quarter of the time"
    )
    open_files_growth: int | None = Field(
        None, gt=0, description="how many more files and connections it may have open at the end than then"
    )


SUITE_IS_THE_ONLY_CLIENT: float = Field(
    0,
    ge=0,
    le=MOST_PATIENCE_S,
    description="how long after the end of a case it is kept open; the suite is the only client, and nothing comes late",
)
"""`settle_s` of a target that calls nobody by itself."""


class Card(Limits):
    """`env` and `variants` need a target that the suite starts itself (`app:` or `cmd:`)."""

    dialects: list[str] = Field(default_factory=list, description="which dialects to judge; default: those it shows")
    key: str | None = Field(None, description="the key the target asks of its callers; better given as --target-key")
    keys: dict[str, str] = Field(
        default_factory=dict, description="more keys that the target knows, by what they are for: limited, poor, other"
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="sent with every request to the target; one that a case is about wins"
    )
    capabilities: list[str] = Field(default_factory=list, description="what the target has, beside what it shows")
    patience_s: float = Field(10.0, gt=0, le=MOST_PATIENCE_S, description="how long a silent target is waited for")
    settle_s: float = Field(
        2.5, ge=0, le=MOST_PATIENCE_S, description="how long after the end of a case late requests are watched for"
    )
    tokenizer: str | None = Field(None, description="a local tokenizer directory, relative to the card")
    env: dict[str, str] = Field(
        default_factory=dict, description="environment variables that the target is started with"
    )
    variants: Mapping[str, Variant] = Field(
        default_factory=dict, description="the same target with another configuration, by the names that cases use"
    )
    soak: SoakBounds = Field(SoakBounds(), description="bounds for `run --soak`")
    start_s: float = Field(
        30.0, gt=0, le=MOST_START_S, description="how long a target that the suite starts may take to answer"
    )

    def limits(self, variant: str) -> Limits:
        return self.variants[variant] if variant else self

    def path(self, usual: str) -> str:
        """The path of this target for what most have at a usual path, such as /health."""
        return usual

    def declares(self, need: str) -> bool:
        """Whether the card names a capability, or has a key or a variant of that name."""
        return need in self.capabilities or need in self.keys or need in self.variants

    def key_for(self, variant: str, given: str | None) -> str | None:
        """The key that a variant of the target requires; `given` is that of the command line. None where it requires none."""
        own = self.variants[variant].key if variant in self.variants else None
        key = own if own is not None else given if given is not None else self.key
        return key or None

    def secrets(self) -> list[str]:
        """What on the card no output may show: the keys, and the headers that hold credentials."""
        keys = [self.key, *self.keys.values(), *(variant.key for variant in self.variants.values())]
        return [key for key in keys if key] + [part for item in self.headers.items() for part in _secret_parts(*item)]


C = TypeVar("C", bound=Card)


def _secret_parts(name: str, value: str) -> list[str]:
    """The whole value of a header that is named like a secret, without its scheme; else the members of a value that are."""
    if SECRET_NAME.search(name):
        return [value.partition(" ")[2] or value, value]
    return SECRET_MEMBER.findall(value)


def card_as(kind: type[C], card: Card) -> C:
    """A card as one of a profile: a card without members of its own may be of any."""
    return card if isinstance(card, kind) else kind.model_validate(card.model_dump(exclude_unset=True))


def load(
    file: Path,
    kind: type[C],
    dialects: Collection[str] | None = None,
    incapable: Callable[[str], str] = lambda name: "",
    elsewhere: Callable[[str], str] = lambda member: "",
) -> C:
    """Read a card. Raises `SuiteError` with file:line:column for whatever does not fit.

    `dialects` are those that there are; `incapable` says what is wrong with the name of a capability, `elsewhere` whose member one
    is that this kind of card does not have.
    """
    source = yaml_source.read(file)
    problems = ErrorCollector()
    members = source.value if isinstance(source.value, dict) else {}
    strange = {name: told for name in members if name not in kind.model_fields and (told := elsewhere(str(name)))}
    for member, told in strange.items():
        problems.add(str(source.problem((member,), told)))
    whole = {name: value for name, value in members.items() if name not in strange} if strange else source.value
    card = problems.attempt(lambda: yaml_source.validated(kind, source, whole))
    for n, dialect in _texts(members, "dialects"):
        if dialects is not None and dialect not in dialects:
            problems.add(str(source.problem(("dialects", n), unknown_name("dialect", dialect, dialects))))
    for n, name in _texts(members, "capabilities"):
        if told := incapable(name):
            problems.add(str(source.problem(("capabilities", n), told)))
    problems.conclude()
    assert card is not None  # else there is a problem
    if card.tokenizer:
        return card.model_copy(update={"tokenizer": str((file.parent / card.tokenizer).resolve())})
    return card


def _texts(members: Mapping[str, object], name: str) -> list[tuple[int, str]]:
    """The texts in the list of this name, with their places in it; what is no list is told as such elsewhere."""
    written = members.get(name)
    return [(n, one) for n, one in enumerate(written if isinstance(written, list) else ()) if isinstance(one, str)]
