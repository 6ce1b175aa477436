"""What the cases of a run share, and one case as the checks read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.session import Session, State
from rollout_conformance.steps.http.client_case import HttpView
from rollout_conformance.steps.http.responses import KeptResponse, Responses, responses_of
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.chat.capabilities import imposed
from rollout_conformance.steps.profiles.chat.card import ChatCard, ServerCard
from rollout_conformance.steps.profiles.chat.responses import ChatResponse

UNKNOWN_CONTEXT = (
    40_009  # tokens that are sent to a server that does not say how many it takes: a number that no server reports
)


@dataclass(slots=True)
class CaseContext:
    """What the cases of a run share. `capabilities` are those of the server, `listed` its models (None where no list was requested, or there is
    none), `context_tokens` how many tokens the model takes; `tokens` is None where the suite does not have the model's tokenizer,
    `deterministic` whether two answers to equal requests can be compared."""

    model: str
    key: str | None
    tokens: Tokens | None
    card: ServerCard
    context_tokens: int
    capabilities: frozenset[str] = frozenset()
    listed: frozenset[str] | None = None
    deterministic: bool = True

    @property
    def imposed(self) -> frozenset[str]:
        """The members of a request that the target replaces by its own, as its card says: nothing is demanded of their values."""
        return imposed(self.card.capabilities)

    @property
    def knows_context(self) -> bool:
        """Whether the server reports how many tokens it takes."""
        return self.context_tokens != UNKNOWN_CONTEXT

    @property
    def ids_at(self) -> str | None:
        """Where the card says that the token ids of a response are."""
        return self.card.token_ids_at if isinstance(self.card, ChatCard) else None

    @property
    def target_key(self) -> str | None:
        """The same key by the name that the contexts of all profiles have for it."""
        return self.key

    @property
    def requested(self) -> dict[str, JSON]:
        """What every completion is requested with, where the server has it: a strict one rejects members that it does not know."""
        names = {"logprobs": "logprobs", "token_ids": "return_token_ids"}
        return {member: True for capability, member in names.items() if capability in self.capabilities}


class ChatState(State, total=False):
    """What the verbs keep while a case is played: the responses, and the nonce of the case."""

    responses: Responses[KeptResponse]
    session_name: str


ChatSession = Session[ChatState, CaseContext]


@dataclass(frozen=True, slots=True)
class CaseView(HttpView[ChatResponse, CaseContext]):
    """One case as the checks read it. `extra` is the state of its session."""

    wait_timeouts: tuple[tuple[str, str], ...] = field(default=())
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> Tokens | None:
        return self.context.tokens


def read(session: Session) -> CaseView:
    """A session that has ended, as the checks read it."""
    kept = responses_of(session)
    responses = Responses({name: ChatResponse.of(one) for name, one in kept.by_name.items()}, kept.order)
    wait_timeouts = tuple(session.state.get("wait_timeouts", ()))
    return CaseView(session.trace, responses, session.context, wait_timeouts, session.state)
