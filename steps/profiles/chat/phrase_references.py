"""Which reply a sentence means: the replies of a case are `it`, or the first, the second and so on, in the order in which they were asked for.

No phrase here; those of the profiles `chat` and `router` name their replies and find them again with these functions.
"""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.steps.engine.cases import Action
from rollout_conformance.steps.profiles.chat.actions import Ask, Measure, Send
from rollout_conformance.steps.profiles.router.actions import AskMany
from rollout_conformance.steps.profiles.router.affinity import AskUntil, Await, Converse
from rollout_conformance.steps.profiles.router.api_keys import AskWith, Signed
from rollout_conformance.steps.profiles.router.concurrency import Crowd, Dawdle, Refill

KEPT = Ask | Send | AskMany | Crowd | Refill | Dawdle | Converse | Await | AskUntil | AskWith | Signed
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
WHO = r"(?P<who>it|both|all|the [a-z]+(?:, the [a-z]+)*(?: and the [a-z]+)?)"


def asked(before: Sequence[Action]) -> list[str]:
    """The names of the replies so far. Several of one question share theirs."""
    return [one.other if isinstance(one, Dawdle) else one.name for one in before if isinstance(one, KEPT)]


def new(before: Sequence[Action]) -> str:
    """The name of the next reply. The first is called `it`, as where nothing is said in YAML."""
    return _name(len(asked(before)))


def readings(before: Sequence[Action]) -> list[str]:
    return [one.name for one in before if isinstance(one, Measure)]


def new_reading(before: Sequence[Action]) -> str:
    return _name(len(readings(before)))


def _name(place: int) -> str:
    if place >= len(ORDINALS):
        raise ValueError(
            f"a scenario has at most {len(ORDINALS)} questions; ask some of them together, or write two scenarios"
        )
    return ORDINALS[place] if place else "it"


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


def words(text: str) -> list[str]:
    """The words of `a, b and c`, or of `a or b`."""
    return [word for part in text.split(", ") for word in part.replace(" or ", " and ").split(" and ") if word]


def statuses(text: str) -> list[Any]:
    return [int(word) for word in words(text)]
