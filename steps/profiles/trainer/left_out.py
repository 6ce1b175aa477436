"""Which cases a trainer cannot show by the way in which its rollouts begin and are named, and why. Pure: read off the steps of a case."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import expectations as expect
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.rollout_naming import KEY
from rollout_conformance.steps.profiles.trainer.rollout_source import NO_CONTROL, Source

NO_START = "`rollouts: open` on the card: there is no start request"
ABOUT_STARTS = (
    do.WaitForStartRequests,
    expect.StartRequests,
    expect.StartRequestHas,
    expect.StartRequestCarries,
    expect.ToolsInPrompts,
)


KEY_OF_ANOTHER = (
    "`rollout_id_in: key` on the card: a request with the key of another rollout is a request of that rollout"
)
ID_AS_KEY = "`rollout_id_in: key` on the card: the rollout id is the key, and not every id may be a key (RFC 6750)"


BRANCHES = "`branches` on the card: a generation request with another history begins a branch"
NO_MASK = "`response_mask: false` on the card: generation requests have no response mask"


NO_IDS = "`token_ids: false` on the card: generations have no token ids"
ABOUT_IDS = {"TRAINER-180", "TRAINER-182", "TRAINER-183"}
TOOLS_OF_REQUESTS = "`tools_in: request`, on the card or by default: each generation request has its tools itself"


def reason(card: TrainerCard, case: Case) -> str | None:
    """Why a case cannot be played with a trainer of this card, None where it can."""
    return next(_reasons(card, case), None)


def _reasons(card: TrainerCard, case: Case) -> Iterator[str]:
    yield from _of_source(card, case)
    yield from _of_place(card.rollouts, card.rollout_id_in, case)
    if not card.response_mask and any(_has_mask(step.what) for step in case.steps):
        yield NO_MASK
    if not card.token_ids and ABOUT_IDS.issuperset(case.requirements):
        yield NO_IDS
    if card.requests_have_tools and any(isinstance(step.what, expect.ToolsInPrompts) for step in case.steps):
        yield TOOLS_OF_REQUESTS
    if "branches" in card.capabilities and any(_is_wrong(step.what) for step in case.steps):
        yield BRANCHES


def _is_wrong(what: object) -> bool:
    """Whether a generation request has a history that only a trainer without branches has to reject."""
    return (
        isinstance(what, Generate) and what.history != "correct" and not what.branch and "messages" not in what.members
    )


def _has_mask(what: object) -> bool:
    return isinstance(what, Generate) and what.response_mask != "correct"


def _of_source(card: TrainerCard, case: Case) -> Iterator[str]:
    if card.rollouts == "open":
        yield from _open(card, case)
    if card.rollouts == "started":
        yield from _started(card, case)


def _of_place(source: Source, place: str, case: Case) -> Iterator[str]:
    """What a key that names the rollout leaves out."""
    for step in case.steps if place == KEY else ():
        if isinstance(step.what, Generate) and step.what.key_of:
            yield KEY_OF_ANOTHER
        if isinstance(step.what, do.StartRollout) and step.what.id_like and source == "open":
            yield ID_AS_KEY


def _open(card: TrainerCard, case: Case) -> Iterator[str]:
    begun: set[str] = set()
    for step in case.steps:
        what = step.what
        if isinstance(what, ABOUT_STARTS) or (isinstance(what, expect.ControlStatus) and what.request == "start"):
            yield NO_START
        if isinstance(what, do.StartRollout):
            named = what.tools not in ((), do.ALL_TOOLS) and not card.requests_have_tools
            if named or _is_special(what):
                yield NO_START
        if isinstance(what, Generate):
            if what.rollout_id:
                yield "`rollouts: open` on the card: no rollout id is unknown"
            if what.history != "correct" and what.rollout not in begun:
                yield "`rollouts: open` on the card: the first generation request may have any history"
            begun.add(what.rollout)
        if isinstance(what, do.ReportEnd):
            if case.dialect == "sync":
                yield "`rollouts: open` on the card: without a start request there is no response to it"
            if what.rollout_id or what.rollout not in begun:
                yield "`rollouts: open` on the card: a rollout is known from its first generation request on"


def _is_special(start: do.StartRollout) -> bool:
    members = set(start.members) - {"messages"}  # the first generation request has those
    special = start.first_responses or members or start.same_server_as or start.accept_after_s
    return bool(special) or start.timeout_s is not None


def _started(card: TrainerCard, case: Case) -> Iterator[str]:
    for step in case.steps:
        what = step.what
        about_control = isinstance(what, expect.ControlStatus) and what.request == "start"
        if about_control or isinstance(what, expect.StartRequestCarries):
            yield NO_CONTROL.format(source="started")
        if isinstance(what, do.StartRollout):
            if what.members or what.timeout_s is not None:
                yield NO_CONTROL.format(source="started")
            if what.id_like or what.id_ending:
                yield "`rollouts: started` on the card: the trainer makes up the ids of its rollouts"
            if case.dialect == "sync" and what.tools != do.ALL_TOOLS and not card.requests_have_tools:
                yield "`rollouts: started` on the card: all rollouts run at one rollout server, which has all tools"
