"""A trace read as rollouts: requests, what the trainer issued, responses. Pure; every check reads this and nothing else."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rollout_conformance.steps.engine.lateness import never
from rollout_conformance.steps.engine.trace import Event, Exchange, NotJson, Trace, parse
from rollout_conformance.steps.http.responses import KeptResponse, Responses
from rollout_conformance.steps.peers.token_oracle import Issued
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartRequest

READ_S = 0.2  # within this of having been late the suite reads what came meanwhile


@dataclass(frozen=True, slots=True)
class Chat:
    """One generation call. `issued` is what the trainer generated for it, None when the script had a fault."""

    exchange: Exchange
    body: Any
    issued: Issued | None
    delivered: bool

    @property
    def n(self) -> int:
        return self.exchange.n

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def messages(self) -> list[Any]:
        messages = self.fields.get("messages")
        return messages if isinstance(messages, list) else []

    def as_received(self, seen: Any) -> Any:
        """The generated message as the server received it: a stream shows no empty list of calls, and does not distinguish an empty content
        from an absent one, which the message `seen` may then have either way."""
        message = dict(self.issued.message) if self.issued is not None else {}
        if self.fields.get("stream") is not True:
            return message
        if not message.get("tool_calls"):  # what has no calls has no chunk with calls
            message.pop("tool_calls", None)
        if message.get("content") not in (None, ""):
            return message
        content = seen.get("content") if isinstance(seen, dict) else None
        return {**message, "content": content} if content in (None, "") else message


def number(call: Chat) -> int:
    """By what calls are in order."""
    return call.exchange.n


@dataclass(frozen=True, slots=True)
class Answer:
    """A request of ours to the target and its answer; `body` is parsed, a `NotJson` when it is none."""

    exchange: Exchange
    body: Any

    @property
    def n(self) -> int:
        return self.exchange.n

    @property
    def status(self) -> int | None:
        return self.exchange.response.status if self.exchange.response else None

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True)
class Post:
    """One completion callback; `acked` when it was answered with a 2xx."""

    exchange: Exchange
    body: Any
    acked: bool

    @property
    def n(self) -> int:
        return self.exchange.n

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True)
class Rollout:
    """Everything of one rollout, in order. `scripted_fault` when the trainer was to fail in it, whether or not it came to that."""

    given: StartRequest
    starts: tuple[Answer, ...]
    chats: tuple[Chat, ...]
    posts: tuple[Post, ...]
    grades: tuple[Post, ...]
    events: tuple[Event, ...]
    tokens: Tokens
    tools: Sequence[Any] | None
    ended: bool
    scripted_fault: bool = False
    polls: tuple[Answer, ...] = ()
    generated: tuple[Chat, ...] = field(init=False)

    def __post_init__(self) -> None:
        """`generated` are the calls whose generation reached the server: the conversation as the trainer holds it."""
        done = tuple(chat for chat in self.chats if chat.issued is not None and chat.delivered)
        object.__setattr__(self, "generated", done)

    @property
    def dialect(self) -> str:
        return self.given.dialect

    @property
    def results(self) -> tuple[Answer | Post, ...]:
        """Every terminal result, in order: 200 answers (sync) or completion callbacks."""
        if self.dialect == "sync":
            return tuple(start for start in self.starts if start.status == 200)
        if self.dialect == "leased":
            return tuple(replace(poll, body=leased_result_of(poll.fields)) for poll in self.polls if _ends(poll))
        return self.posts

    @property
    def result(self) -> Answer | Post | None:
        """The first terminal result. In the routed dialect what the graded sample shows is part of it."""
        if self.dialect == "routed" and self.posts:
            graded = self.grades[0].fields if self.grades else {}
            return replace(self.posts[0], body={**self.posts[0].fields, **sample_of(graded)})
        return self.results[0] if self.results else None

    @property
    def shown(self) -> bool:
        """Whether the server had the occasion to show the conversation: in the routed and leased dialects a sample does.

        A failed grade may come without a sample, as for a rollout without a label.
        """
        if self.dialect == "leased":
            return self.result is not None and isinstance(self.result.fields.get("final_messages"), list)
        return self.dialect != "routed" or any(
            isinstance(grade.fields.get("sample"), dict) for grade in self.grades[:1]
        )

    @property
    def accepted(self) -> bool:
        return any(start.status is not None and 200 <= start.status < 300 for start in self.starts)

    @property
    def rejected(self) -> bool:
        return bool(self.starts) and all(s.status is not None and 400 <= s.status < 500 for s in self.starts)

    def before(self, chat: Chat) -> Chat | None:
        """The last generation that was delivered before this call."""
        at = bisect_left(self.generated, chat.n, key=number)
        return self.generated[at - 1] if at else None

    def after(self, turn: Chat) -> Chat | None:
        """The call that came next."""
        at = bisect_right(self.chats, turn.n, key=number)
        return self.chats[at] if at < len(self.chats) else None

    def last_before(self, n: int) -> Chat | None:
        """The last call before exchange `n`."""
        at = bisect_left(self.chats, n, key=number)
        return self.chats[at - 1] if at else None

    def turns(self) -> Iterator[tuple[Chat, Chat]]:
        """Each call with the delivered generation before it. A retry of a call is paired like the call."""
        for chat in self.chats:
            before = self.before(chat)
            if before is not None:
                yield before, chat

    def is_error(self) -> bool:
        return self.result is not None and self.result.fields.get("status") == "ERROR"

    def is_completed(self) -> bool:
        return self.result is not None and self.result.fields.get("status") == "COMPLETED"


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case: its rollouts by label, and the requests that belong to none. `crowded` is how many other rollouts of the run were in
    flight when the case waited in vain."""

    trace: Trace
    dialect: str
    rollouts: Mapping[str, Rollout]
    others: tuple[Answer, ...]
    card: RolloutCard
    limits: RolloutLimits
    tools: Mapping[str, Any]
    log: str
    target_key: str | None
    health: tuple[Answer, ...] = ()
    wait_timeouts: tuple[tuple[str, str], ...] = ()
    crowded: int = 0
    patience_s: float = 0.0
    secrets: tuple[str, ...] = field(default=())
    responses: Responses[KeptResponse] = field(default_factory=Responses)

    def named(self, *words: str) -> list[KeptResponse]:
        """The responses that these words mean, of those to requests that start no rollout."""
        return self.responses.named(*words)

    @property
    def it(self) -> Rollout:
        """The rollout of a case that has one."""
        return next(iter(self.rollouts.values()))


def read_rollout(
    trace: Trace,
    given: StartRequest,
    issued: Sequence[Issued],
    tokens: Tokens,
    tools: Sequence[Any] | None,
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
    starts, polls, chats, posts, grades = [], [], [], [], []
    for exchange in trace.exchanges:
        if exchange.rollout != given.label:
            continue
        path = exchange.request.path.partition("?")[0]
        if exchange.to_target:
            if path == START_PATH[given.dialect]:
                starts.append(answer(exchange))
            elif given.dialect == "leased" and path.endswith("/result"):
                polls.append(answer(exchange))
        elif path.endswith("/chat/completions"):
            whole = by_exchange.get(exchange.n)
            chats.append(Chat(exchange, parse(exchange.request.body), whole, exchange.n in delivered))
        else:
            body = parse(exchange.request.body)
            if path.endswith("/graded"):
                grades.append(Post(exchange, body, exchange.n in acked))
            else:
                body = completion_of(body) if given.dialect == "routed" else body
                posts.append(Post(exchange, body, exchange.n in acked))
    ended = any(event.name in ("ResultReturned", "CompletedSent") for event in events)
    read = Rollout(
        given,
        tuple(starts),
        tuple(chats),
        tuple(posts),
        tuple(grades),
        events,
        tokens,
        tools,
        ended,
        scripted_fault,
        tuple(polls),
    )
    read = replace(read, chats=tuple(_sampled_again(read, chat) for chat in read.chats))
    if deadline_s is None:
        return read
    slow = {n for n in delivered if _waited(trace, trace.exchanges[n], late) > 0.8 * deadline_s}
    return (
        replace(read, chats=tuple(_taken(read, chat) if chat.n in slow else chat for chat in chats)) if slow else read
    )


COMPLETE = ("stop", "length", "tool_calls", "function_call")


def _sampled_again(rollout: Rollout, chat: Chat) -> Chat:
    """A generation that the engine broke off (`abort`, `error`) may be requested again; then the next call has the same messages."""
    if chat.issued is None or not chat.delivered or chat.issued.finish_reason in COMPLETE:
        return chat
    after = rollout.after(chat)
    repeated = after is not None and after.messages == chat.messages
    return replace(chat, delivered=False) if repeated else chat


def _taken(rollout: Rollout, chat: Chat) -> Chat:
    """A call whose answer came at the last moment of the server's own deadline, or later: only what the server did next shows whether it
    took it."""
    after = rollout.after(chat)
    taken = rollout.is_completed() if after is None else len(after.messages) > len(chat.messages)
    return replace(chat, delivered=taken)


STATUS = {"success": "COMPLETED", "failure": "ERROR", "cancelled": "ERROR"}


def completion_of(body: Any) -> Any:
    """A completion of the routed dialect in the words of the others; `said_status` keeps its own."""
    if not isinstance(body, dict):
        return body
    found = body.get("extra_fields")
    extra: dict[str, Any] = found if isinstance(found, dict) else {}
    category = {} if body.get("err_category") is None else {"error_category": body["err_category"]}
    return {
        "rollout_id": body.get("rollout_id"),
        "said_status": body.get("status"),
        "status": STATUS.get(str(body.get("status")), body.get("status")),
        "error_message": body.get("err_message"),
        "finish_reason": extra.get("finish_reason"),
        "extra_fields": {**extra, **category},
    }


def _ends(poll: Answer) -> bool:
    """Whether a response to a request for a result says how the rollout ended."""
    return poll.status == 200 and poll.fields.get("status") in STATUS


def leased_result_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A result of the leased dialect in the words of the others."""
    sample = body.get("sample")
    extra = sample.get("extra_fields") if isinstance(sample, dict) else None
    category = {} if body.get("err_category") is None else {"error_category": body["err_category"]}
    shown = sample_of(body) if body.get("status") == "success" else {}
    return {
        "rollout_id": body.get("rollout_id"),
        "said_status": body.get("status"),
        "status": STATUS.get(str(body.get("status")), body.get("status")),
        "error_message": body.get("err_message"),
        "finish_reason": extra.get("finish_reason") if isinstance(extra, dict) else None,
        "extra_fields": category,
        "sample": sample,
        **shown,
    }


def sample_of(graded: Mapping[str, Any]) -> dict[str, Any]:
    """What a graded sample shows of the rollout: its messages, metrics and reward."""
    sample = graded.get("sample")
    if not isinstance(sample, dict):
        return {}
    return {"final_messages": sample.get("messages"), "metrics": sample.get("metrics"), "reward": sample.get("reward")}


def _waited(trace: Trace, exchange: Exchange, late: Callable[[float], float]) -> float:
    """How long the server may have waited for an answer: a request that came in while the suite was late was read after that."""
    began = trace.epoch + exchange.began
    unread = late(began - READ_S) - late(began + READ_S)
    return (exchange.ended or exchange.began) - exchange.began + unread


def answer(exchange: Exchange) -> Answer:
    body = parse(exchange.response.body) if exchange.response else NotJson("no answer")
    return Answer(exchange, body)
