"""Which reply a sentence means: the replies of a case are `it`, or the first, the second and so on, in the order in which they were asked for.

No phrase here; those of the profile `router` name their replies and find them again with these functions.
"""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.steps.engine.cases import Action
from rollout_conformance.steps.engine.phrase_types import ORDINALS, words
from rollout_conformance.steps.http.metrics import Scrape
from rollout_conformance.steps.http.requests import Send, WaitForStatus
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.actions import AskMany
from rollout_conformance.steps.profiles.router.affinity import AskUntil, Converse
from rollout_conformance.steps.profiles.router.api_keys import AskWith, Signed
from rollout_conformance.steps.profiles.router.concurrency import Crowd, Dawdle, Refill

KEPT = (
    ChatRequest
    | Send
    | Scrape
    | AskMany
    | Crowd
    | Refill
    | Dawdle
    | Converse
    | WaitForStatus
    | AskUntil
    | AskWith
    | Signed
)
WHO = r"(?P<who>it|both|all|the [a-z]+(?:, the [a-z]+)*(?: and the [a-z]+)?)"


def asked(before: Sequence[Action]) -> list[str]:
    """What the replies so far are called: by their names, or in the order of the case. Several of one question share theirs."""
    kept = [one.other if isinstance(one, Dawdle) else one.name for one in before if isinstance(one, KEPT)]
    return [name or ORDINALS[place] for place, name in enumerate(kept)]


def new(before: Sequence[Action]) -> str:
    """The name of the next reply."""
    place = len(asked(before))
    if place >= len(ORDINALS):
        raise ValueError(
            f"a scenario has at most {len(ORDINALS)} questions; ask some of them together, or write two scenarios"
        )
    return ORDINALS[place]


def named(who: str, before: Sequence[Action]) -> tuple[str, ...]:
    """`it` is the last reply, `both` are the only two, `all` are all; the others are counted."""
    known = asked(before)
    if not known:
        raise ValueError(f"{who}: nothing was asked so far, so there is no reply")
    if who in ("it", "all"):
        return tuple(known) if who == "all" else (known[-1],)
    if who == "both":
        if len(known) != 2:
            raise ValueError(f"both: the scenario asks {len(known)} times. Write which, as: the first and the second")
        return tuple(known)
    return tuple(_counted(word, known) for word in words(who))


def one(who: str, before: Sequence[Action]) -> str:
    found = named(who, before)
    if len(found) != 1:
        raise ValueError(f"{who}: one reply is meant here, as: the second")
    return found[0]


def _counted(word: str, known: Sequence[str]) -> str:
    ordinal = word.removeprefix("the ")
    places = {name: place for place, name in enumerate(ORDINALS[: len(known)])}
    if ordinal not in places:
        raise ValueError(f"no reply is {word!r} here. There are: the {', the '.join(places)}")
    return known[places[ordinal]]


def statuses(text: str) -> list[Any]:
    return [int(word) for word in words(text)]
