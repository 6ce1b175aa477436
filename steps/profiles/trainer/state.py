"""What the sessions of a trainer's cases share, and one rollout of a case while it runs and after."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.session import Session, State
from rollout_conformance.steps.engine.target_card import Card, Limits
from rollout_conformance.steps.engine.trace import Exchange, Response, Trace, parse
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.arriving_starts import ArrivingStarts
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, ScriptedRolloutServer
from rollout_conformance.steps.peers.tokens import END_OF_TURN, Tokens
from rollout_conformance.steps.profiles.trainer.card import BODY, TrainerCard, trainer_card
from rollout_conformance.steps.profiles.trainer.rollout_source import Source
from rollout_conformance.steps.profiles.trainer.token_members import with_tokens

if TYPE_CHECKING:
    from rollout_conformance.steps.profiles.trainer.closing import Closing

JsonObject = Mapping[str, Any]  # of anybody: each member is looked at before it is used
QUESTIONS = ("Please calculate 5 plus 3.", "Please calculate 9 minus 4.", "Please calculate 6 times 7.")


@dataclass(frozen=True, slots=True)
class Call:
    """One generation request that the suite sent. `right` when nothing in it was made wrong on purpose; `retry` names an earlier one; `words`
    is how many were added to it, so that no context takes it; `left` when the suite did not wait for its response."""

    n: int
    body: JsonObject
    right: bool
    retry: int | None = None
    words: int = 0
    left: bool = False


@dataclass(slots=True)
class RolloutState:
    """`history` is that of the rollout server; its first `answered` messages end with the last generation, which has `sampled` tokens
    behind `prompt` prompt tokens; `truncated` when that one has no end of turn. `sampling` are the parameters of its generation requests,
    `base_url` where they go, where the start request says so; `nonce` is what no other rollout has in its prompt. `open` when nobody
    starts the rollout: its first generation request does. `reported` once the trainer accepted its end. `control`, `callbacks` and
    `records` are the numbers of the exchanges: the control request that started the rollout, the completed callbacks, and the readings
    of the record. `sent_tools` are the tools that its generation requests have themselves. `branches` are other conversations of the
    rollout, by their names within the case."""

    label: str
    rollout_id: str = ""
    hosted: HostedRollout | None = None
    messages: list[Any] = field(default_factory=list)
    history: list[Any] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    answered: int = 0
    prompt: int = 0
    sampled: int = 0
    control: int = -1
    callbacks: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    same_server_as: str = ""
    sampling: Mapping[str, object] = field(default_factory=dict)
    base_url: str = ""
    open: bool = False
    truncated: bool = False
    reported: bool = False
    nonce: str = ""
    sent_tools: Sequence[Any] = ()
    branches: "dict[str, RolloutState]" = field(default_factory=dict)

    def branch(self, name: str, history: list[Any]) -> "RolloutState":
        """A branch of the conversation: what it begins with was not sampled in it. Its generation requests are those of the rollout."""
        if name not in self.branches:
            self.branches[name] = replace(self, history=history, answered=0, prompt=0, sampled=0, truncated=False)
        return self.branches[name]

    @property
    def tools(self) -> Sequence[Any]:
        """The tools of its prompts: those of its requests, else those of its rollout server."""
        return self.sent_tools or (self.hosted.tools if self.hosted else ())

    @property
    def began(self) -> bool:
        """Whether the trainer may be asked for generations: its start request was accepted, or none is needed."""
        return self.open or (self.hosted is not None and self.hosted.accepted)


@dataclass(slots=True)
class CaseContext:
    """`host_url` is where the trainer finds the rollout server that the suite plays; `starts` are the start requests that it sends there of
    its own accord; `model` is the one that the user named for generation requests."""

    host: ScriptedRolloutServer
    host_url: str
    dialect: str
    card: Card
    limits: Limits
    target_key: str | None
    run: str
    tokens: Tokens
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    source: Source = "control"
    starts: ArrivingStarts | None = None
    closing: "Closing | None" = None
    model: str | None = None

    @property
    def described(self) -> TrainerCard:
        return trainer_card(self.card)

    @property
    def place(self) -> str:
        """Where a request names its rollout."""
        return self.described.rollout_id_in

    @property
    def named_model(self) -> dict[str, object]:
        """The model that the user named, as a member of generation requests."""
        return {"model": self.model} if self.model else {}

    def nonce(self) -> str:
        return f"rc-{self.run}-{next(self.counter)}x"


def read_body(response: Response | None, token_ids_at: str | None) -> JsonObject:
    """The body of a response, the tokens of a generation in the members of the contract; {} for one that is no object."""
    body = mapping(parse(response.body) if response else None)
    return with_tokens(body, token_ids_at) if "choices" in body else body


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case as the checks read it. `place` is where a request names its rollout, `token_ids_at` where the card names the ids of a
    generation; `branched` when a rollout may have several conversations; `with_ids` unless the card says that generations have no token ids."""

    trace: Trace
    dialect: str
    rollouts: Mapping[str, RolloutState]
    tokens: Tokens
    target_key: str | None
    wait_timeouts: tuple[tuple[str, str], ...] = ()
    source: Source = "control"
    no_occasion: str = ""
    place: str = BODY
    token_ids_at: str | None = None
    branched: bool = False
    with_ids: bool = True

    @property
    def shows_tokens(self) -> bool:
        """Whether a generation has to have its token ids."""
        return self.dialect == "sync" and self.with_ids

    def answer(self, n: int) -> tuple[int | None, Any]:
        """(status, parsed body) of an exchange, the tokens of a generation in their members; a body that is no object is {}."""
        exchange = self.trace.exchanges[n]
        if exchange.response is None:
            return None, {}
        return exchange.response.status, read_body(exchange.response, self.token_ids_at)

    def exchange(self, n: int) -> Exchange:
        return self.trace.exchanges[n]

    def replies(self, rollout: RolloutState) -> list[tuple[Call, JsonObject]]:
        """The right calls that were answered 200, retries left out, with what was answered."""
        answered = [(call, *self.answer(call.n)) for call in rollout.calls if call.right and call.retry is None]
        return [(call, body) for call, status, body in answered if status == 200]

    def record(self, rollout: RolloutState, nth: int = -1) -> JsonObject:
        """The record of a rollout as the trainer returned it, {} where it was not read or not returned."""
        if len(rollout.records) < abs(nth if nth < 0 else nth + 1):
            return {}
        status, body = self.answer(rollout.records[nth])
        return body if status == 200 else {}


def recorded(record: JsonObject) -> list[JsonObject]:
    """The lines of a record: each has turns, token ids, a mask and logprobs. One without branches is one line."""
    branches = record.get("branches")
    return mappings(branches) if isinstance(branches, list) else [record]


class TrainerState(State, total=False):
    """What the verbs keep while a case is played: the rollouts by their labels, and why what it needs did not come about."""

    rollouts: dict[str, RolloutState]
    no_occasion: str


TrainerSession = Session[TrainerState, CaseContext]


def rollout_states(state: TrainerState) -> dict[str, RolloutState]:
    return state.setdefault("rollouts", {})


def rollout_state(state: TrainerState, label: str) -> RolloutState:
    return rollout_states(state).setdefault(label, RolloutState(label))


def sound(message: object) -> bool:
    """Whether a template can render a message: its content is a text or null, its calls are calls with texts as arguments."""
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), str | None):
        return False
    calls = message.get("tool_calls")
    functions = [mapping(call.get("function")) for call in mappings(calls)]
    named = all(isinstance(f.get("name"), str) and isinstance(f.get("arguments"), str) for f in functions)
    return named and (calls is None or (isinstance(calls, list) and len(calls) == len(functions)))


def inserted(reply: JsonObject, turn: int) -> list[dict[str, object]]:
    """What a rollout server puts behind a reply: a result for every call, or the next question."""
    calls = mappings(reply.get("tool_calls"))
    return calculator.result_messages(calls) or [{"role": "user", "content": QUESTIONS[turn % len(QUESTIONS)]}]


def insertions(tokens: Tokens, part: RolloutState) -> tuple[int, ...]:
    """The lengths that a response mask may have now, () before the first reply.

    What was inserted is the text behind the reply. Where the sampled ids are not the canonical ones of their text, other readings
    differ from it: by how much the prompt grew since the one before, which either side may have counted, less what was sampled.
    """
    if not part.answered:
        return ()
    tools = part.tools
    whole = tokens.render(part.history, tools)
    before = len(tokens.prompt_ids(part.history[: part.answered - 1], tools))
    grown = [len(tokens.encode(whole)) - prompt - part.sampled for prompt in (before, part.prompt)]
    return *_behind(tokens, part, tools, whole), *grown


def _behind(tokens: Tokens, part: RolloutState, tools: Sequence[object], whole: str) -> tuple[int, ...]:
    head, end, _ = tokens.render(part.history[: part.answered], tools, generation=False).rpartition(END_OF_TURN)
    known = head if part.truncated else head + end  # the end of a truncated turn is inserted
    return (len(tokens.encode(whole[len(known) :])),) if end and whole.startswith(known) else ()
