"""Requests for completions: one frozen value a verb. They drive; none of them judges."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import NotJson, Request, parse
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import RequestAction, request_headers
from rollout_conformance.steps.http.responses import body_of, responses_of
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.stop_strings import stop_string
from rollout_conformance.steps.profiles.chat.token_id_locations import with_ids_at
from rollout_conformance.steps.profiles.chat.view import CaseContext
from rollout_conformance.steps.sse.streams import KEPT_EVENTS, Reading, read_stream, recorded

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
SAMPLING: JsonObject = {"temperature": 0, "max_tokens": 256}
MOST_EVENTS = 50_000
EVENTS_PER_TOKEN = 4
FIRST_SEED = 1000
BANNED = -100  # as a logit_bias (OpenAI chat API)
INVALID = (400, 422)  # to a request with members that a server does not take


@verb(
    "chat",
    short="user",
    example=(
        "Hello!",
        "{user: Count from 1 to 5., stream: true, body: {max_tokens: 3}}",
        "{name: answer, continues: call, tools: [add, subtract]}",
    ),
)
@dataclass(frozen=True, slots=True)
class ChatRequest(RequestAction):
    """Send a request for a chat completion, at temperature 0 and with at most 256 tokens where nothing else is written."""

    user: str = ""
    "The content of a user message, the last message of the request."
    messages: tuple[Mapping[str, Any], ...] = ()
    "The messages before it, as they are sent."
    continues: ResponseName = ""
    "The response whose conversation goes on: its messages, its answer and the results of its tool calls come first."
    tools: tuple[str, ...] = ()
    "Names of the calculator's tools: add, subtract, multiply, divide."
    stream: bool = False
    "Whether the completion is streamed."
    body: Mapping[str, Any] = field(default_factory=dict)
    "Further members of the body, such as `temperature`."
    without: tuple[str, ...] = ()
    "Members that the body does not have."
    distinct_seeds: bool = False
    "Whether each of several requests has a `seed` of its own."
    disconnect_after: int = 0
    "The number of chunks of a stream after which the client disconnects; 0 reads it to its end."
    invented_history: bool = False
    "Whether `messages` hold a history that the server would not have generated: then it is not compared with a rendered prompt."
    exceeds_context: bool = False
    "Whether the request has more tokens than the context of the model."
    fills_context: bool = False
    "Whether `max_tokens` is one less than the context of the model: the prompt fits into the context, and does not fit beside the output."
    bans_first_token_of: ResponseName = ""
    "The response whose first token has a `logit_bias` of -100; without token ids, none has."
    stop_in: ResponseName = ""
    "The response from the middle of whose text the `stop` is taken; a response without text gives none."
    stop_letters: int = 6
    "How many letters the `stop` that is taken has; three are of one word, and often of one token."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Content-Type and the key."
    key: str = "right"
    "The API key, as in `send`."
    prompt: str = ""
    "The prompt of a plain completion, which is then requested instead of a chat."

    @property
    def path(self) -> str:
        return COMPLETIONS if self.prompt else CHAT

    async def send_one(self, session: Session, name: str, nth: int) -> None:
        body = self.body_in(session) | ({"seed": FIRST_SEED + nth} if self.distinct_seeds else {})
        before = session.last_activity.answers
        response = await self._sent(session, name, body)
        plain = self._without_unwritten(session, body)
        if response.status in INVALID and plain != body:
            # The suite alone wanted these members: that they are rejected together with others is one requirement (CHAT-063), not all of them.
            again = await self._sent(session, name, plain)
            response = again if again.is_success else response
        lost = session.trace.exchanges[response.n].response is None
        responses_of(session).keep(replace(response, others_answered=lost and session.last_activity.answers > before))

    async def _sent(self, session: Session, name: str, body: JsonObject) -> ChatResponse:
        return await (self._streamed if body.get("stream") else self._whole)(session, name, body)

    def _without_unwritten(self, session: Session, body: JsonObject) -> JsonObject:
        """A body without the members that every request has, and this case did not write."""
        context: CaseContext = session.context
        unwritten = context.requested.keys() - self.body.keys()
        if "top_logprobs" in self.body:
            unwritten -= {"logprobs"}
        return {name: value for name, value in body.items() if name not in unwritten}

    def body_in(self, session: Session) -> dict[str, JSON]:
        """The body that is sent in this case."""
        context: CaseContext = session.context
        model = {"model": context.model} if context.model else {}  # a server that lists none may still have one
        about = {"prompt": self._prompt(session)} if self.prompt else {"messages": self._messages(session)}
        body: dict[str, JSON] = {**model, **about, **SAMPLING, **context.requested}
        if self.tools:
            body["tools"] = [calculator.tool(name) for name in self.tools]
        if self.stream:
            body["stream"] = True
        if self.fills_context:
            body["max_tokens"] = context.context_tokens - 1
        body |= {**self.body, **self._bias(session), **self._stop(session)}
        return {name: value for name, value in body.items() if name not in self.without}

    def _bias(self, session: Session) -> dict[str, Any]:
        banned = responses_of(session).named(self.bans_first_token_of) if self.bans_first_token_of else []
        ids = ChatResponse.of(banned[0]).first_choice.ids if banned else None
        return {"logit_bias": {str(ids[0]): BANNED}} if ids else {}

    def _stop(self, session: Session) -> dict[str, Any]:
        full = responses_of(session).named(self.stop_in) if self.stop_in else []
        stop = stop_string(ChatResponse.of(full[0]).first_choice.content, self.stop_letters) if full else None
        return {"stop": stop} if stop else {}

    def request(self, session: Session, body: JsonObject) -> Request:
        headers = request_headers(session, self.key, self.headers)
        return Request("POST", self.path, headers, json.dumps(body).encode())

    def _prompt(self, session: Session) -> str:
        name = session.state.get("session_name")
        return f"Session {name}. {self.prompt}" if name else self.prompt

    def _messages(self, session: Session) -> list[Any]:
        earlier = responses_of(session).named(self.continues) if self.continues else []
        name = session.state.get("session_name")
        messages: list[Any] = [{"role": "system", "content": f"Session {name}."}] if name else []
        messages += self.messages
        if self.exceeds_context:  # a token for each word, and those of the template
            messages.append({"role": "user", "content": "a " * session.context.context_tokens})
        if earlier and earlier[0].choices:
            messages = [*earlier[0].messages, _sent_back(earlier[0].first_choice.message)]
            messages += calculator.result_messages(earlier[0].first_choice.calls)
        return messages + ([{"role": "user", "content": self.user}] if self.user else [])

    async def _whole(self, session: Session, name: str, body: JsonObject) -> ChatResponse:
        n = await session.send(self.request(session, body), rollout="-")
        exchange = session.trace.exchanges[n]
        status, headers, raw = (
            (exchange.response.status, exchange.response.headers, exchange.response.body)
            if exchange.response
            else (None, (), b"")
        )
        whole = with_ids_at(body_of(exchange), session.context.ids_at)
        return self._kept(session, ChatResponse(name, n, body, status, whole, raw=raw, headers=headers))

    async def _streamed(self, session: Session, name: str, body: JsonObject) -> ChatResponse:
        read = Reading(most_events(body, session.context))
        n = await read_stream(session, self.request(session, body), read, self._is_enough)
        raw = recorded(session, n, read)
        chunks, left = tuple(read.chunks), bool(self.disconnect_after)
        whole = _meaning(read, raw, session.context.ids_at)
        return self._kept(
            session,
            ChatResponse(
                name, n, body, read.status, whole, chunks, left, raw=raw, headers=read.headers, fault=read.fault
            ),
        )

    def _is_enough(self, read: Reading) -> bool:
        return 0 < self.disconnect_after <= len(read.chunks)

    def _kept(self, session: Session, response: ChatResponse) -> ChatResponse:
        """The response as the checks read it: what the target imposes is not among the members of its request."""
        context: CaseContext = session.context
        judged = {name: value for name, value in response.request.items() if name not in context.imposed}
        kept = replace(response, request=judged) if len(judged) < len(response.request) else response
        exceeds = self.exceeds_context or self.fills_context
        return replace(kept, invented_history=self.invented_history, exceeds_context=exceeds)


def _sent_back(message: JsonObject) -> dict[str, JSON]:
    """A message as a client sends it back: without what the server left null."""
    return {"role": "assistant", "content": None, **{k: v for k, v in message.items() if v is not None and v != []}}


def most_events(body: JsonObject, context: CaseContext) -> int:
    """How many events of a stream are read: a few for each token that may be sampled."""
    limits = [body.get(name) for name in ("max_tokens", "max_completion_tokens")]
    tokens = next((one for one in limits if type(one) is int and one > 0), context.context_tokens)
    choices = body.get("n")
    streams = choices if type(choices) is int and choices > 0 else 1
    return KEPT_EVENTS + min(EVENTS_PER_TOKEN * tokens * streams, MOST_EVENTS)


def _meaning(read: Reading, raw: bytes, ids_at: str | None) -> Any:
    if read.status == 200:
        return assembled(read.chunks, ids_at)
    return parse(raw) if raw else NotJson(read.fault or "it is empty")
