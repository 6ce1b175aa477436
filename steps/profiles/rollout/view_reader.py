"""A finished session, read as the rollouts of its case."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.lateness import never
from rollout_conformance.steps.engine.trace import Event, Exchange, NotJson, Trace, parse
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.peers.script import Fault
from rollout_conformance.steps.peers.token_oracle import Issued
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.rollout.context import CaseContext, RolloutSession, RolloutState, rollout_states
from rollout_conformance.steps.profiles.rollout.dialect_bodies import completion_of
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartRequest
from rollout_conformance.steps.profiles.rollout.view import COMPLETE, Answer, CaseView, Chat, Post, Rollout

READ_S = 0.2  # within this of having been late the suite reads what came meanwhile


def read(session: RolloutSession, case: Case) -> CaseView:
    """A finished session as the checks read it."""
    context: CaseContext = session.context
    rollouts = {
        label: _rollout(session, part)
        for label, part in rollout_states(session.state).items()
        if part.given is not None
    }
    others = tuple(answer(e) for e in session.trace.exchanges if e.to_target and e.rollout == "-")
    return CaseView(
        trace=session.trace,
        dialect=case.dialect,
        rollouts=rollouts,
        others=others,
        card=context.card,
        limits=context.limits,
        tools=context.tools,
        log=session.state["target"].log(session.state["log_from"]),
        target_key=context.target_key,
        wait_timeouts=tuple(session.state.get("wait_timeouts", ())),
        crowded=int(session.state.get("crowded", 0)),
        patience_s=session.patience_s,
        responses=responses_of(session),
    )


def _rollout(session: RolloutSession, part: RolloutState) -> Rollout:
    if part.given is None or part.enrolled is None:
        raise SuiteError("a rollout was read before it was started")
    if part.given.nonce in session.context.trainer.troubles:
        raise SuiteError(session.context.trainer.troubles[part.given.nonce])
    enrolled, deadline = part.enrolled, session.context.limits.generation_timeout_s
    fault = any(isinstance(line, Fault) or line.lost for line in enrolled.script.lines)
    about = (session.trace, part.given, enrolled.issued, enrolled.tokens, enrolled.tools)
    return read_rollout(*about, deadline, fault, session.late)


@dataclass(slots=True)
class _Sorted:
    """The exchanges of one rollout by what they are. `issued` is what the trainer generated, by exchange; `delivered` and `acked` are the
    numbers of the generations that reached the server, and of the callbacks that the trainer acknowledged."""

    dialect: str
    issued: Mapping[int, Issued]
    delivered: set[int]
    acked: set[int]
    starts: list[Answer] = field(default_factory=list)
    polls: list[Answer] = field(default_factory=list)
    chats: list[Chat] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    grades: list[Post] = field(default_factory=list)

    def add(self, exchange: Exchange) -> None:
        path = exchange.request.path.partition("?")[0]
        if exchange.to_target:
            if path == START_PATH[self.dialect]:
                self.starts.append(answer(exchange))
            elif self.dialect == "leased" and path.endswith("/result"):
                self.polls.append(answer(exchange))
            return
        body, n = parse(exchange.request.body), exchange.n
        if path.endswith("/chat/completions"):
            self.chats.append(Chat(exchange, body, self.issued.get(n), n in self.delivered))
        elif path.endswith("/graded"):
            self.grades.append(Post(exchange, body, n in self.acked))
        else:
            result = completion_of(body) if self.dialect == "routed" else body
            self.posts.append(Post(exchange, result, n in self.acked))


def read_rollout(
    trace: Trace,
    given: StartRequest,
    issued: Sequence[Issued],
    tokens: Tokens,
    tools: Sequence[object] | None,
    deadline_s: float | None = None,
    scripted_fault: bool = False,
    late: Callable[[float], float] = never,
) -> Rollout:
    """The rollout `given` as its trace shows it. `deadline_s` is how long the server waits for one generation, where known; `late` by how
    many seconds the suite was late since a moment."""
    events = tuple(trace.of(given.label))
    by_exchange = {item.exchange: item for item in issued}
    delivered = {event.exchange for event in events if event.name == "GenerationReturned"}
    acked = {event.exchange for event in events if event.name in ("CompletedAcknowledged", "GradedAcknowledged")}
    mine = _Sorted(given.dialect, by_exchange, delivered, acked)
    for exchange in trace.exchanges:
        if exchange.rollout == given.label:
            mine.add(exchange)
    ended = any(event.name in ("ResultReturned", "CompletedSent") for event in events)
    read = Rollout(
        given=given,
        starts=tuple(mine.starts),
        chats=tuple(mine.chats),
        posts=tuple(mine.posts),
        grades=tuple(mine.grades),
        events=events,
        tokens=tokens,
        tools=tools,
        ended=ended,
        scripted_fault=scripted_fault,
        polls=tuple(mine.polls),
    )
    read = replace(read, chats=tuple(_sampled_again(read, chat) for chat in read.chats))
    open_ended = set(_after_cancel(events, mine.chats))
    if deadline_s is not None:
        open_ended |= {n for n in delivered if _waited(trace, trace.exchanges[n], late) > 0.8 * deadline_s}
    return replace(read, chats=tuple(_taken(read, chat) if chat.n in open_ended else chat for chat in read.chats))


def _after_cancel(events: Sequence[Event], chats: Sequence[Chat]) -> Iterator[int]:
    """The calls that were answered after the rollout was cancelled: a server may drop what it has requested before."""
    cancelled = next((event.at for event in events if event.name == "CancelSent"), None)
    if cancelled is not None:
        yield from (chat.n for chat in chats if chat.delivered and (chat.exchange.ended or cancelled) >= cancelled)


def _sampled_again(rollout: Rollout, chat: Chat) -> Chat:
    """A generation that the engine broke off (`abort`, `error`) may be requested again; then the next call has the same messages."""
    if chat.issued is None or not chat.delivered or chat.issued.finish_reason in COMPLETE:
        return chat
    after = rollout.after(chat)
    repeated = after is not None and after.messages == chat.messages
    return replace(chat, delivered=False) if repeated else chat


def _taken(rollout: Rollout, chat: Chat) -> Chat:
    """A call whose answer came at the last moment of the server's own deadline, or after a cancellation: only what the server did next shows
    whether it took it."""
    after = rollout.after(chat)
    taken = rollout.is_completed() if after is None else len(after.messages) > len(chat.messages)
    return replace(chat, delivered=taken)


def _waited(trace: Trace, exchange: Exchange, late: Callable[[float], float]) -> float:
    """How long the server may have waited for an answer: a request that came in while the suite was late was read after that."""
    began = trace.epoch + exchange.began
    unread = late(began - READ_S) - late(began + READ_S)
    return (exchange.ended or exchange.began) - exchange.began + unread


def answer(exchange: Exchange) -> Answer:
    body = parse(exchange.response.body) if exchange.response else NotJson("no answer")
    return Answer(exchange, body)
