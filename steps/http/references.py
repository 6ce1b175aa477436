"""Members of verbs that mean responses, and whether a case has the responses that they mean."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, get_args

from rollout_conformance.steps.engine.cases import Action, Step, is_action
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.phrase_types import ORDINALS
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.verb_parsing import hints
from rollout_conformance.steps.http.responses import BOTH, COPY, base_of, meant

Mistake = tuple[Location | None, str]


@dataclass(frozen=True, slots=True)
class Reference:
    """Marks a member that means responses of the case."""


ResponseName = Annotated[str, Reference()]
"""The name of a response, or `it` (the last one), `first`, `second`, ..., `both`, `all`."""


def unknown_references(steps: Sequence[Step]) -> Iterator[Mistake]:
    """What is said of responses that the case does not have: an action may only mean those to requests before it."""
    order: list[str] = []
    copies: dict[str, int] = {}
    for step in steps:
        for member, word in _references(step.what):
            if (wrong := _wrong(word, order) or _wrong_copy(word, copies)) and not (word == "it" and not order):
                yield step.at, f"{member}: {wrong}"
        if is_action(step.what):
            _add(order, step.what)
            copies |= {name: getattr(step.what, "times", 1) for name in getattr(step.what, "keeps", ()) if name}


def requests_of(actions: Iterable[Action]) -> list[str]:
    """The names of the requests of some actions whose responses are kept, in order: as they will be when the case has run."""
    order: list[str] = []
    for action in actions:
        _add(order, action)
    return order


def _add(order: list[str], action: Action) -> None:
    for name in getattr(action, "keeps", ()):
        base = base_of(name) or f"request {len(order) + 1}"
        order += [base] if base not in order else []


def _references(what: object) -> Iterator[tuple[str, str]]:
    """(member, word) for each response that a verb means. Sentences in Python that want the session have no members."""
    kind: type = type(what)
    for member in _referring(kind):
        value = getattr(what, member)
        yield from ((member, word) for word in ((value,) if isinstance(value, str) else value) if word)


@cache
def _referring(kind: type) -> tuple[str, ...]:
    """The members of a verb that mean responses."""
    return tuple(member for member, hint in hints(kind).items() if _is_reference(hint))


def _is_reference(hint: object) -> bool:
    return isinstance(hint, Reference) or any(_is_reference(one) for one in get_args(hint))


def _wrong_copy(word: str, copies: Mapping[str, int]) -> str:
    """Why a word such as `many#4` means none of the responses to a request that is sent several times."""
    base, _, number = word.partition(COPY)
    if not number or base not in copies:
        return ""
    if copies[base] == 1:
        return f"{word}: the request {base} is sent once; its response is called {base}"
    if number.isdecimal() and 1 <= int(number) <= copies[base]:
        return ""
    return f"{word}: the responses to {base} are {base}{COPY}1 to {base}{COPY}{copies[base]}"


def _wrong(word: str, order: list[str]) -> str:
    """Why a word means no response here; empty where it means one."""
    if word == BOTH and len(order) != 2:
        return f"`both` are two responses, and the case has {len(order)} requests. Name them: the first and the third"
    if meant(base_of(word) if COPY in word else word, order):
        return ""
    if word in ORDINALS:
        return f"the {word} response is meant, and the case sends {len(order)} request(s) before"
    return unknown_name("response", word, order)
