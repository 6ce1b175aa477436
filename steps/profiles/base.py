"""What a profile is: one value that ties a contract to the peers, the capabilities and the invariants that judge it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from rollout_conformance.contracts.lifecycle import Table
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.case_model import CaseModel
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Evidence, Location, SuiteError
from rollout_conformance.steps.engine.probe_result import ProbeResult
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.engine.verbs import Vocabulary
from rollout_conformance.steps.live.inference_client import Engine

OWN = "own_"  # what a capability begins with that only the author's own cases and cards know
Invariant = Callable[[Any], Iterable[Evidence]]
Mistakes = Callable[[Sequence[Step]], Iterable[tuple[Location | None, str]]]


def no_cause(case: Case, view: Any) -> Cause | None:
    """Of a profile that knows no end which others rest on."""
    return None


def undisturbing(case: Case) -> bool:
    """Of a profile whose cases leave a target as they found it."""
    return False


async def unchanged(peers: Any, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
    """Of the same."""
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    """What the run gives a profile to set up its peers with. `engine` is the one that generates; without it the script does.
    `model` is the name to ask the target for, where the user gave one."""

    target: str
    card: Card
    target_key: str | None
    tokenizer: Path | None
    tokenizer_name: str | None
    listen: tuple[str, int]
    run: str
    engine: Engine | None = None
    model: str | None = None


class Peers(Protocol):
    """The peers of a run, once they serve."""

    def resolve_placeholders(self, card: Card) -> Card:
        """The card as a target is started with it: its environment says where the peers are, where that must be told beforehand."""

    def context(self, case: Case) -> Any:
        """What the sessions of a case share; raises `SuiteError` when the case cannot be played."""

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Look at the target; gives the dialects it shows."""

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        """How many rollouts or requests the target takes at once, where that is fewer than `jobs`."""

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """What else is to be known of a target that answers: its tools, its capabilities. `greeting` is how it was greeted."""

    def lacks(self, case: Case) -> str | None:
        """Why a case does not apply to this target, or None."""

    @property
    def tokenizer_hash(self) -> str: ...

    @property
    def unmatched_requests(self) -> int: ...


class FuzzAdapter(Protocol):
    """How generated requests meet rollouts: a module of the profile. `generated` is a case of schemathesis."""

    def about(self, dialect: str, start: bool) -> tuple[str, ...]:
        """The requirements that a silence breaks."""

    def is_start(self, dialect: str, method: str, path: str) -> bool: ...

    async def adapt_request(self, session: Session, generated: Any) -> str | None:
        """Change what is sent, where it must be for a rollout to come of it; gives the key to send with it, None for the run's."""

    def began(self, session: Session, request: Request, start: bool) -> int:
        """Note that the request is on its way; gives the number of its exchange."""

    async def ended(self, session: Session, n: int, request: Request, response: Response, start: bool) -> None:
        """Note the answer, and see the rollout to its end."""


@dataclass(frozen=True, slots=True)
class Profile:
    """`tables` hold the lifecycle of each dialect; `peers` is an async context manager factory; `read` turns a finished
    session into what the invariants judge; `live_target` says what is judged on an engine when no target is named. `cause` finds
    what ended a case otherwise than it gives reason for; `ends_by_itself` is accused where one such end shows in cases about several
    requirements. What breaks a requirement of `at_any_level` (a leaked key, say) is as grave in a case
    about a weaker requirement. `disturbs` says of a case that a target may be another one after it, for a while, and `recovered` waits until
    it is what it was.

    `greeting` is the plainest case of a dialect, `probe_result` what it showed of the target. `unexplored` says what applies instead to a
    profile whose orders of events cannot be explored.

    `vocabulary` are the verbs of its cases; `phrases` the modules of sentences that are more than a verb; `case_model` the members of a
    case in YAML. `needs_of` gives the capabilities that the steps of a case need, `only_scripted` why no real model can do what an action says,
    empty where one can.

    `capabilities` are the names that a case may need and a card may declare, besides those that the catalogue needs. `mistakes` says
    what can be seen to be wrong with the steps of a case before it is played, and where (None: the case as a whole). `not_fit` begins the
    closing sentence of a run that found a required requirement broken."""

    name: str
    dialects: tuple[str, ...]
    catalogue: Mapping[str, Requirement]
    default_target: str
    default_card: Path
    tables: Mapping[str, Table]
    peers: Callable[[Setting], Any]
    read: Callable[[Session, Case], Any]
    invariants: tuple[Invariant, ...]
    replaces_duplicates: frozenset[str]
    masks_other_findings: frozenset[str]
    inconclusive_reason: Callable[[Case, Any], str | None]
    fuzz_adapter: FuzzAdapter
    greeting: Callable[[str], Case]
    probe_result: Callable[[Session, Case], ProbeResult]
    vocabulary: Vocabulary
    phrases: tuple[str, ...] = ()
    case_model: type[CaseModel] = CaseModel
    needs_of: Callable[[tuple[Step, ...]], frozenset[str]] = lambda steps: frozenset()
    only_scripted: Callable[[Any], str] = lambda what: ""
    unexplored: str = ""
    live_target: Callable[[Engine], str] | None = None
    capabilities: frozenset[str] = frozenset()
    mistakes: Mistakes = lambda steps: ()
    cause: Callable[[Case, Any], Cause | None] = no_cause
    ends_by_itself: str | None = None
    at_any_level: frozenset[str] = frozenset()
    disturbs: Callable[[Case], bool] = undisturbing
    recovered: Callable[[Any, httpx.AsyncClient, str, float], Awaitable[bool]] = unchanged
    not_fit: str = "Not fit to train on"

    @property
    def by_invariants(self) -> frozenset[str]:
        """The requirements that only an invariant can find kept: the expectations of a case merely bring the occasion."""
        return frozenset(
            r.id for r in self.catalogue.values() if "invariant" in r.judged_by and "case" not in r.judged_by
        )

    def checked(self, view: Any) -> Iterator[Evidence]:
        """What the invariants find. Raises `SuiteError` for a requirement that the catalogue does not give them to judge."""
        for item in (item for invariant in self.invariants for item in invariant(view)):
            known = self.catalogue.get(item.requirement)
            if known is None or "invariant" not in known.judged_by:
                raise SuiteError(
                    f"an invariant judges {item.requirement}, and the catalogue does not say so in `judged_by`"
                )
            yield item

    def unknown_capability(self, name: str) -> str:
        """What is said of a capability that neither the catalogue nor the profile knows; empty for one that may be."""
        if name in self.needs or name.startswith(OWN) or name.removeprefix("no_") in self.needs:
            return ""
        told = unknown_name("capability", name, sorted(self.needs))
        return f"{told} One of your own, in cases and on a card of yours, begins with `{OWN}`."

    @property
    def needs(self) -> frozenset[str]:
        """All that a case may need."""
        return self.capabilities | {need for entry in self.catalogue.values() for need in entry.needs}
