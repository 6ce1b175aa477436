"""What a profile is: one value that ties a contract to the peers, the capabilities and the invariants that judge it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol

import httpx

from rollout_conformance.contracts.lifecycle import Table
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.case_model import CaseModel
from rollout_conformance.steps.engine.cases import Action, Case, Expectation, Step
from rollout_conformance.steps.engine.findings import Cause, Evidence, Location, SuiteError
from rollout_conformance.steps.engine.judging import V
from rollout_conformance.steps.engine.probe_result import ProbeResult
from rollout_conformance.steps.engine.session import S, Session
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.engine.verbs import Vocabulary
from rollout_conformance.steps.http.client_case import HttpContext
from rollout_conformance.steps.http.references import unknown_references
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.live.trainer import Drifts
from rollout_conformance.steps.profiles.parts import Contract, Explore, Found, Fuzz, Reference
from rollout_conformance.steps.profiles.recording import Record

OWN = "own_"  # what a capability begins with that only the author's own cases and cards know
Mistakes = Callable[[Sequence[Step]], Iterable[tuple[Location | None, str]]]
Misplaced = Callable[[Sequence[Step], Sequence[str]], Iterable[tuple[Location | None, str]]]


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

    def resolved(self, text: str) -> str:
        """The command of a target as it is started: with the addresses of the peers for their placeholders."""

    def context(self, case: Case) -> object:
        """What the sessions of a case share; raises `SuiteError` when the case cannot be played."""

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Look at the target; gives the dialects it shows."""

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        """How many rollouts or requests the target takes at once, where that is fewer than `jobs`."""

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """What else is to be known of a target that answers: its tools, its capabilities. `greeting` is how it was greeted."""

    def key_for(self, case: Case) -> str | None:
        """The key that the target asks of its callers in a case, if any."""

    def lacks(self, case: Case) -> str | None:
        """Why a case does not apply to this target, or None."""

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        """Wait until a target is what it was before a case that disturbs it; False when it is not within this time."""

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        """Wait a while until a target of this variant serves, which the suite has started and which answers its health check."""

    def found(self) -> Found:
        """What was learnt of the target, for a card of it."""

    def drifts(self) -> Drifts:
        """The prompts that a live model read otherwise than the suite."""

    @property
    def tokenizer_hash(self) -> str: ...

    @property
    def unmatched_requests(self) -> int: ...


class NoPeers:
    """What most profiles say of their peers: nothing is told to the target, nothing is learnt of it, and every case applies."""

    __slots__ = ()

    def resolve_placeholders(self, card: Card) -> Card:
        return card

    def resolved(self, text: str) -> str:
        return text

    def context(self, case: Case) -> object:
        return None

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        return dialects

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        return None

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        return None

    def key_for(self, case: Case) -> str | None:
        return None

    def lacks(self, case: Case) -> str | None:
        return None

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        return True

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        return None

    def found(self) -> Found:
        return Found()

    def drifts(self) -> Drifts:
        return Drifts()

    @property
    def tokenizer_hash(self) -> str:
        return "none"

    @property
    def unmatched_requests(self) -> int:
        return 0


@dataclass(slots=True)
class ClientOnly(NoPeers):
    """The peers of a profile that plays only the client: its cases share the card and the key of the target."""

    setting: Setting

    @property
    def key(self) -> str | None:
        return self.setting.target_key or self.setting.card.key

    def context(self, case: Case) -> object:
        return HttpContext(self.setting.card, self.key)

    def key_for(self, case: Case) -> str | None:
        return self.key


@contextlib.asynccontextmanager
async def no_peers(setting: Setting) -> AsyncIterator[Peers]:
    """Of a profile that plays only the client."""
    yield ClientOnly(setting)


@dataclass(frozen=True, slots=True)
class Profile(Generic[S, V]):
    """`tables` hold the lifecycle of each dialect; `peers` is an async context manager factory; `read` turns a finished session into what the
    invariants judge; `live_target` says what is judged on an engine when no target is named. `cause` finds what ended a case otherwise than
    it gives reason for; `ends_by_itself` is accused where one such end shows in cases about several requirements. What breaks a requirement
    of `at_any_level` (a leaked key, say) is as grave in a case about a weaker requirement. `disturbs` says of a case that a target may be
    another one after it, for a while: the peers wait until it is what it was. `role` is whom the suite plays in the lifecycle; `width` how
    much of the target a case takes at once, `part` the member of a verb that says which of several things it is about (a rollout, say), as
    `for rollout "a", ...` does in a sentence.

    `greeting` is the plainest case of a dialect, `probe_result` what it showed of the target. `fuzz` and `explore` are of profiles for
    which requests are generated and orders of events tried; `unexplored` says what applies instead of the latter. `closing` is what is said
    at the end of a run of a target that breaks what it must not.

    `cases` are the folders of its cases, where the suite does not ship them. `vocabulary` are the verbs of its cases; `phrases` the modules
    of sentences that are more than a verb, `modifiers` what may stand for `<how>` in them, and `told`
    for another name in them: a line and what it lists; `case_model` the members of a case in YAML.
    `needs_of` gives the capabilities that the steps of
    a case need, `only_scripted` why no real model can do what an action says, empty where one can.

    `capabilities` are the names that a case may need and a card may declare, besides those that the catalogue needs; `hints` say of a
    capability that is assumed what a target without it declares, where a case that needs it has a finding. `mistakes` says what
    can be seen to be wrong with the steps of a case before it is played, and where (None: the case as a whole). `card` are the members
    of its target cards; `smoke` gives what `smoke` shows of a dialect beside its greeting, from the context of the case. `record` makes the
    recorder of a target at a URL, for a profile whose traffic can be written as scenarios."""

    name: str
    dialects: tuple[str, ...]
    catalogue: Mapping[str, Requirement]
    contract: Contract
    reference: Reference
    read: Callable[[Session[S], Case], V]
    invariants: tuple[Callable[[V], Iterable[Evidence]], ...]
    greeting: Callable[[str], Case]
    probe_result: Callable[[Session[S], Case], ProbeResult]
    vocabulary: Vocabulary
    tables: Mapping[str, Table] = field(default_factory=dict)
    peers: Callable[[Setting], AbstractAsyncContextManager[Peers]] = no_peers
    replaces_duplicates: frozenset[str] = frozenset()
    masks_other_findings: frozenset[str] = frozenset()
    inconclusive_reason: Callable[[Case, V], str | None] = lambda case, view: None
    phrases: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    told: tuple[tuple[str, tuple[str, ...]], ...] = ()
    case_model: type[CaseModel] = CaseModel
    needs_of: Callable[[tuple[Step, ...]], frozenset[str]] = lambda steps: frozenset()
    only_scripted: Callable[[Action | Expectation], str] = lambda what: ""
    fuzz: Fuzz | None = None
    explore: Callable[[], Explore] | None = None
    unexplored: str = ""
    closing: str = "Not conformant"
    live_target: Callable[[Engine], str] | None = None
    capabilities: frozenset[str] = frozenset()
    hints: Mapping[str, str] = field(default_factory=dict)
    mistakes: Mistakes = unknown_references
    misplaced: Misplaced = lambda steps, dialects: ()
    cause: Callable[[Case, V], Cause | None] = lambda case, view: None
    cases: tuple[Path, ...] = ()
    ends_by_itself: str | None = None
    at_any_level: frozenset[str] = frozenset()
    disturbs: Callable[[Case], bool] = lambda case: False
    role: str = "client"
    width: Callable[[Case], int] = lambda case: 1
    part: str = ""
    card: type[Card] = Card
    smoke: Callable[[object], Iterable[tuple[str, str]]] = lambda context: ()
    record: Record | None = None

    def subject(self, action: Action | Expectation) -> str:
        """The part of a case that an action is about, empty for the case as a whole."""
        return str(getattr(action, self.part, "")) if self.part else ""

    @property
    def levels(self) -> dict[str, str]:
        return {name: requirement.level for name, requirement in self.catalogue.items()}

    def dialects_of(self, requirement: str) -> tuple[str, ...]:
        known = self.catalogue.get(requirement)
        if known is None:
            raise SuiteError(f"a check names {requirement}, which the catalogue does not have")
        return known.dialects

    @property
    def by_invariants(self) -> frozenset[str]:
        """The requirements that only an invariant can find kept: the expectations of a case merely bring the occasion."""
        return frozenset(
            r.id for r in self.catalogue.values() if "invariant" in r.judged_by and "case" not in r.judged_by
        )

    def checked(self, view: V) -> Iterator[Evidence]:
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
