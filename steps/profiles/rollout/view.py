"""A trace read as rollouts: requests, what the trainer issued, responses. Pure; every check reads this and nothing else."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject, mapping, text
from rollout_conformance.steps.engine.trace import Event, Exchange, Trace, parse
from rollout_conformance.steps.http.responses import KeptResponse, Responses
from rollout_conformance.steps.peers.token_oracle import Issued
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits
from rollout_conformance.steps.profiles.rollout.dialect_bodies import STATUS, leased_result_of, sample_of
from rollout_conformance.steps.profiles.rollout.start_request import StartRequest

COMPLETE = ("stop", "length", "tool_calls", "function_call")
"""The finish reasons of generations that were not broken off."""


@dataclass(frozen=True, slots=True)
class Message:
    """An exchange and the body in it that is judged, parsed; a `NotJson` when it is none."""

    exchange: Exchange
    body: Any

    @property
    def n(self) -> int:
        return self.exchange.n

    @property
    def fields(self) -> JsonObject:
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True)
class Chat(Message):
    """One generation request. `issued` is what the trainer generated for it, None when the script had a fault."""

    issued: Issued | None
    delivered: bool

    @property
    def messages(self) -> list[JSON]:
        messages = self.fields.get("messages")
        return messages if isinstance(messages, list) else []

    @property
    def has_message(self) -> bool:
        """Whether the response has a message: what a script takes out of it, no server can keep."""
        if self.issued is None or not self.issued.tampered or self.exchange.response is None:
            return True
        if self.fields.get("stream") is True:
            return b'"delta"' in self.exchange.response.body
        choices = mapping(parse(self.exchange.response.body)).get("choices")
        return isinstance(choices, list) and bool(choices) and isinstance(mapping(choices[0]).get("message"), dict)

    def as_received(self, seen: object) -> JsonObject:
        """The generated message as the server received it: a stream shows no empty list of calls, and does not distinguish an empty content
        or empty arguments from absent ones, which the message `seen` may then have either way."""
        message = dict(self.issued.message) if self.issued is not None else {}
        if self.fields.get("stream") is not True:
            return message
        if isinstance(calls := message.get("tool_calls"), list) and isinstance(seen, dict):
            message["tool_calls"] = [*map(_as_streamed, calls, _as_long(seen.get("tool_calls"), calls))]
        if not message.get("tool_calls"):  # what has no calls has no chunk with calls
            message.pop("tool_calls", None)
        if message.get("reasoning_content") == "" and "reasoning_content" not in mapping(seen):
            del message["reasoning_content"]
        if message.get("content") not in (None, ""):
            return message
        content = seen.get("content") if isinstance(seen, dict) else None
        return {**message, "content": content} if content in (None, "") else message


def _as_long(seen: object, calls: Sequence[object]) -> list[object]:
    return [*seen, *calls][: len(calls)] if isinstance(seen, list) else list(calls)


def _as_streamed(call: object, seen: object) -> object:
    """A call without the index that each chunk has, and with empty or absent arguments as the message `seen` has them."""
    if not isinstance(call, Mapping):
        return call
    kept = {name: value for name, value in call.items() if name != "index" or "index" in mapping(seen)}
    function, found = mapping(call.get("function")), mapping(mapping(seen).get("function"))
    if function.get("arguments") not in (None, "") or found.get("arguments") not in (None, ""):
        return kept
    rest = {name: value for name, value in function.items() if name != "arguments"}
    given = {"arguments": found["arguments"]} if "arguments" in found else {}
    return {**kept, "function": {**rest, **given}}


def number(call: Chat) -> int:
    """By what calls are in order."""
    return call.exchange.n


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """A request of the suite to the target and its response."""

    @property
    def status(self) -> int | None:
        return self.exchange.response.status if self.exchange.response else None


@dataclass(frozen=True, slots=True)
class Post(Message):
    """One completed callback; `acked` when it was answered with a 2xx."""

    acked: bool


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


def _ends(poll: Answer) -> bool:
    """Whether a response to a request for a result says how the rollout ended."""
    return poll.status == 200 and text(poll.fields.get("status")) in STATUS
