"""The parts of a profile: its contract, its reference implementation, how it is fuzzed, and how orders of events are explored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

from rollout_conformance.contracts.lifecycle import Table
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.engine.session import C, S, Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Document = Mapping[str, Any]
"""A scenario file as a value."""


REQUIRES = "requires "  # what the reason of a case begins with that the target may still show, or its card declare
URL_ONLY = "the suite has to start and stop this target: give it as `app:` or `cmd:`, not as a URL"
OF_YOUR_OWN = "a capability of your own, which the card has to declare"


def lacking(capabilities: Mapping[str, str], needs: Iterable[str]) -> str | None:
    """Why a case is skipped that needs what a target does not have, in the words of the catalogue; None where nothing is missing. All that is
    missing is named: one alone would lead to the next."""
    told = [f"`{need}`: {capabilities.get(need, OF_YOUR_OWN)}" for need in sorted(needs)]
    return REQUIRES + "; and ".join(told) if told else None


@dataclass(frozen=True, slots=True)
class Found:
    """What was learnt of a target: `members` of its card, `remarks` for the one who writes it, and the capabilities that it may have, with
    their texts, although nothing shows them from outside."""

    members: Mapping[str, object] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    possible: Mapping[str, str] = field(default_factory=dict)


def possible(texts: Mapping[str, str], names: Iterable[str], seen: Iterable[str]) -> dict[str, str]:
    """These capabilities with their texts, but for those that were seen."""
    known = set(seen)
    return {name: texts[name] for name in names if name not in known}


def absent(hints: Mapping[str, str], card: Card) -> dict[str, str]:
    """`no_NAME` with its text for each of these capabilities, which are assumed, but for those that the card names already."""
    return {f"no_{name}": text for name, text in hints.items() if f"no_{name}" not in card.capabilities}


@dataclass(frozen=True, slots=True)
class Contract:
    """`folder` holds the OpenAPI files: one for each dialect, `openapi.DIALECT.yaml`, or one for all, `openapi.yaml`."""

    folder: Path

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.yaml"

    def openapi(self, dialect: str) -> Path:
        """The OpenAPI file of a dialect."""
        own = self.folder / f"openapi.{dialect}.yaml"
        return own if own.is_file() else self.folder / "openapi.yaml"


@dataclass(frozen=True, slots=True)
class Mutants:
    """Copies of the reference with one planted defect each. `python -m module` lists them as JSON lines, `module:create_app` makes the one that
    the environment variable `variable` names. A defect may break the requirements in `side_effects` along with its own."""

    module: str
    variable: str
    side_effects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reference:
    """The server that is judged when no target is named. `app` is a target as --target takes it: it is started as a process, and the suite
    imports nothing of it. `served_by` is the module whose `command` (of click) serves it for `rollout-conformance serve`."""

    app: str
    card: Path
    mutants: Mutants | None = None
    served_by: str = ""


class FuzzAdapter(Generic[S, C]):
    """How generated requests meet the peers of a run. As it is, they are sent as generated, and wait for nothing."""

    def about(self, dialect: str, start: bool) -> tuple[str, ...]:
        """The requirements that a silence breaks."""
        return ()

    def is_start(self, dialect: str, method: str, path: str) -> bool:
        """Whether a request starts what the target reports on later, such as a rollout."""
        return False

    async def adapt_request(self, session: Session[S, C], generated: object) -> str | None:
        """Change what is sent, where it has to reach a peer; gives the key to send with it, None for the run's."""
        return None

    def may_be_accepted(self, card: Card, body: object) -> bool:
        """Whether a target with this card may accept a request although the contract does not allow it."""
        return False

    def began(self, session: Session[S, C], request: Request, start: bool) -> int:
        """Note that the request is on its way; gives the number of its exchange."""
        return session.trace.open(request, to_target=True, rollout="-")

    async def ended(self, session: Session[S, C], n: int, request: Request, response: Response, start: bool) -> None:
        """Note what was really sent and its response, and wait for what follows it."""
        session.trace.exchanges[n] = replace(session.trace.exchanges[n], request=request)
        session.trace.close(n, response)


def _named(spec: JsonObject) -> str | None:
    dialect = spec.get("x-dialect")
    return dialect if isinstance(dialect, str) else None


@dataclass(frozen=True, slots=True)
class Fuzz:
    """How requests are generated from the contract, and which requirement each check judges.

    `conforms`, `accepts`, `rejects` and `no_5xx` are what the checks of schemathesis judge; `by_check` names those that judge another
    requirement. `no_internals` and `no_secrets` are broken by a response that shows `internals` or the key of the target.

    With `gateway` a 502 or 504 is the fault of what is behind the target. Without `plain` there is nothing of ours to attach to when
    schemathesis is run by itself. `dialect_of` gives the dialect of an OpenAPI document, None for one that is none of the profile's;
    `left_out` the paths that a target with this card does not have."""

    adapter: FuzzAdapter
    conforms: str
    accepts: str
    rejects: str
    no_5xx: str
    no_internals: str
    no_secrets: str
    internals: internal_error_patterns.Signs = internal_error_patterns.GENERAL
    by_check: Mapping[str, str] = field(default_factory=dict)
    gateway: bool = True
    plain: bool = True
    dialect_of: Callable[[Mapping[str, Any]], str | None] = _named
    left_out: Callable[[Card], frozenset[str]] = lambda card: frozenset()

    @property
    def requirements(self) -> frozenset[str]:
        """Those that generated requests break along with others."""
        return frozenset({self.conforms, self.accepts, self.rejects, self.no_5xx})

    def judge(self, check: str) -> str:
        """The requirement that a check of schemathesis judges."""
        usual = {
            "not_a_server_error": self.no_5xx,
            "positive_data_acceptance": self.accepts,
            "negative_data_rejection": self.rejects,
            "missing_required_header": self.rejects,
        }
        return self.by_check.get(check) or usual.get(check, self.conforms)


class Explore(Protocol):
    """Generated orders of events, as scenarios: a module of the profile, which needs Hypothesis."""

    def may_stop(self, dialect: str) -> bool:
        """Whether the contract says what is owed when the target is stopped."""

    def walks(self, dialect: str, table: Table, *, stops: bool) -> "SearchStrategy[Document]":
        """Walks over the lifecycle table, a scenario each; with `stops` those that end with the target."""

    def fault_pairs(self, dialect: str, number: int) -> Iterator[Document]:
        """Scenarios in which every two faults meet at least once. `number` decides which pairs share a scenario."""

    def smaller(self, document: Document) -> Iterable[Document]:
        """The scenario with one thing less, the largest things first."""

    def tidied(self, document: Document) -> Document:
        """The same scenario as people would write it."""
