"""What the suite does to a trainer, as its rollout server. Actions drive; none of them judges."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import quote

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import Headers, Request, parse
from rollout_conformance.steps.engine.verb_parsing import Written, made, members
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import StartAnswer
from rollout_conformance.steps.profiles.trainer import wrong_requests
from rollout_conformance.steps.profiles.trainer.starting import BEGIN, JSON_HEADER, Wanted, control_key
from rollout_conformance.steps.profiles.trainer.state import (
    Call,
    CaseContext,
    RolloutState,
    TrainerSession,
    inserted,
    insertions,
    rollout_state,
    rollout_states,
    sound,
)
from rollout_conformance.steps.profiles.trainer.truncation import count
from rollout_conformance.steps.profiles.trainer.wrong_requests import History, Mask

POLL_INTERVAL_S = 0.03
Tool = Literal["add", "subtract", "multiply"]
ALL_TOOLS: tuple[Tool, ...] = ("add", "subtract", "multiply")
Key = Literal["own", "none", "wrong", "non_ascii"]


def _start_response(written: object) -> StartAnswer:
    """`429`, or `{status: 307, headers: {location: here}}`."""
    given = members(written, "status")
    headers = members(given.get("headers", {}))
    return made(StartAnswer, {**given, "headers": tuple((name.lower(), str(value)) for name, value in headers.items())})


StartResponse = Annotated[
    StartAnswer,
    Written(
        _start_response,
        {
            "description": "status, or `{status: ..., headers: {...}}`",
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {
                    "type": "object",
                    "required": ["status"],
                    "additionalProperties": False,
                    "properties": {"status": {"type": "integer"}, "headers": {"type": "object"}},
                },
            ],
        },
    ),
]


@verb(
    "start_rollout",
    short="rollout",
    example=(
        "{tools: [add, subtract]}",
        "{first_responses: 429, retry_after_s: 1}",
        "{rollout: b, same_server_as: a}",
        "{timeout_s: 2}",
        "{rollout: b, id_like: a, id_ending: B}",
    ),
)
@phrase("the trainer starts the rollout")
@phrase("the trainer starts the rollout with a timeout of {timeout_s} s")
@phrase("the trainer starts the rollout at a rollout server with the tool(s) {tools:names}")
@phrase("the trainer starts the rollout at a rollout server without tools", tools=())
@phrase("the trainer starts the rollout at the rollout server of {same_server_as}")
@phrase(
    "the trainer starts the rollout at a rollout server that rejects the start request with {first_responses:status}",
    wait=False,
)
@phrase(
    "the trainer starts the rollout at a rollout server that first responds with {first_responses:status} "
    "and Retry-After {retry_after_s}"
)
@dataclass(frozen=True, slots=True)
class StartRollout:
    """Have the trainer start a rollout at the rollout server of the suite, and wait until its start request was accepted."""

    rollout: str = ""
    "The name of the rollout within the case, where the case has several."
    tools: tuple[Tool, ...] = ALL_TOOLS
    "The tools of the rollout server."
    first_responses: tuple[StartResponse, ...] = ()
    "What the rollout server returns to the first start requests, one each; the start request after them is accepted."
    retry_after_s: int | None = None
    "The header `Retry-After` of those first responses: whole seconds (RFC 9110, 10.2.3)."
    timeout_s: float | None = None
    "The timeout of the rollout that the trainer is given."
    members: Mapping[str, Any] = field(default_factory=dict)
    "Members of the control request, instead of those that it has by default."
    wait: bool = True
    "Whether to wait until a start request was accepted."
    same_server_as: str = ""
    "The name of an earlier rollout of the case that runs at the same rollout server."
    accept_after_s: float = 0.0
    "How long the rollout server delays its 202, during which it sends generation requests (dialect `callback`)."
    id_like: str = ""
    "The name of an earlier rollout of the case whose id this one has, but for the ending."
    id_ending: str = ""
    "What the rollout id ends with."

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, self.rollout)
        await BEGIN[session.context.source](session, part, self.wanted())

    def wanted(self) -> Wanted:
        tools = [tool for tool in calculator.tools() if tool["function"]["name"] in self.tools]
        timeout = {} if self.timeout_s is None else {"timeout_s": self.timeout_s}
        members = {**timeout, **self.members}
        same, like = self.same_server_as, self.id_like
        return Wanted(tools, self.responses(), members, same, self.wait, like, self.id_ending, self.accept_after_s)

    def responses(self) -> list[StartAnswer]:
        """The first responses, with their `Retry-After`."""
        if self.retry_after_s is None:
            return list(self.first_responses)
        header = ("retry-after", f"{self.retry_after_s}")
        return [StartAnswer(one.status, (*one.headers, header)) for one in self.first_responses]


@verb(
    "generate",
    short="rollout",
    example=("{response_mask: short}", "{rollout: a, key_of: b}", "{concurrent: 3}", "{rollout_id: rc-unknown-1x}"),
)
@phrase("the rollout server requests the next generation")
@phrase("the rollout server requests the next generation with a {response_mask} response mask")
@phrase("the rollout server requests the next generation with a wrong history: {history}")
@phrase("the rollout server requests the next generation without a key", key="none")
@phrase("the rollout server requests the next generation with a wrong key", key="wrong")
@phrase("the rollout server requests the next generation with the key of {key_of}")
@phrase("the rollout server requests the next generation for the rollout id {rollout_id}")
@phrase("the rollout server requests the next generation with these members:", block="members")
@phrase("the rollout server requests the next generation {concurrent} times at once")
@phrase("the rollout server requests the next generation with {added_words} more words in the last message")
@phrase("the rollout server repeats its last generation request", repeat=True)
@dataclass(frozen=True, slots=True)
class Generate:
    """Request the next generation of a rollout from the trainer; its response becomes part of the history."""

    rollout: str = ""
    "The name of the rollout within the case, where the case has several."
    response_mask: Mask = "correct"
    "The response mask that is sent (dialect `sync`). All but `correct` have one thing wrong."
    history: History = "correct"
    "The history that is sent. All but `correct` differ in one thing from what the trainer generated before."
    key: Key = "own"
    "The key that is sent: the one that the trainer issued for the rollout, or none or a wrong one instead."
    key_of: str = ""
    "The name of another rollout whose key is sent."
    rollout_id: str = ""
    "Another rollout id to send, instead of that of the rollout."
    repeat: bool = False
    "Whether to send the last correct generation request again, byte for byte."
    concurrent: int = 1
    "How many times the request is sent at once."
    max_tokens_percent: int = 0
    "`max_tokens`, in percent of the tokens that the first generation of the case has: so few that the same generation is truncated."
    leave_after_s: float = 0.0
    "When the rollout server closes the connection, without waiting for the generation any longer."
    added_words: int = 0
    "How many words are added to the last message: so many that no context takes them."
    members: Mapping[str, Any] = field(default_factory=dict)
    "Members of the request, instead of those that it has by default."

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, self.rollout)
        if self._changes_nothing(part):
            session.state["no_occasion"] = f"nothing in the history could be changed as {self.history} says"
            return
        correct = [call for call in part.calls if call.right and call.retry is None]
        repeated = correct[-1].n if self.repeat and correct else None
        body = dict(correct[-1].body) if self.repeat and correct else self._body(session, part)
        requests = (self._send(session, part, body, repeated if n == 0 else -1) for n in range(self.concurrent))
        await asyncio.gather(*requests)

    def _changes_nothing(self, part: RolloutState) -> bool:
        """Whether the history that would be sent as a wrong one is the right one, such as one without any tool call."""
        if self.history == "correct" or "messages" in self.members or not part.history:
            return False
        return wrong_requests.history(part.history, self.history) == part.history

    def is_correct(self) -> bool:
        """Whether nothing but `members` was made wrong on purpose; what other members do is left to the case."""
        correct = (self.response_mask, self.history, self.key) == ("correct", "correct", "own")
        return correct and not (self.key_of or self.rollout_id or self.added_words or self.leave_after_s)

    def _body(self, session: TrainerSession, part: RolloutState) -> dict[str, object]:
        context: CaseContext = session.context
        messages = wrong_requests.history(part.history, self.history)
        body: dict[str, object] = {
            "model": "default",
            "messages": wrong_requests.lengthened(messages, self.added_words),
            "rollout_id": self.rollout_id or part.rollout_id,
            **part.sampling,
            "stop": None,
        }
        if context.dialect == "sync" and self.response_mask != "missing":
            more = self.added_words * wrong_requests.tokens_per_word(context.tokens)
            lengths = tuple(length + more for length in insertions(context.tokens, part))
            body["response_mask"] = wrong_requests.response_mask(self.response_mask, lengths)
        if self.max_tokens_percent:
            body["max_tokens"] = max(1, _first_length(session) * self.max_tokens_percent // 100)
        return {**body, **self.members}

    async def _send(
        self, session: TrainerSession, part: RolloutState, body: Mapping[str, object], retry: int | None
    ) -> None:
        owner = rollout_states(session.state)[self.key_of] if self.key_of else part
        n = await post_generation(session, part, body, _key(session, owner, self.key), self.leave_after_s or None)
        part.calls.append(Call(n, body, self.is_correct(), retry, self.added_words))
        good = _status(session, n) == 200
        session.trace.event(part.label, "trainer", "GenerationReturned" if good else "GenerationRejected", n)
        if good and self.is_correct() and retry is None:
            _add_to_history(session, part, n, part.calls[-1])


def _first_length(session: TrainerSession) -> int:
    """How many tokens the first generation of the case has, as the trainer counts them."""
    calls = sorted(call.n for part in rollout_states(session.state).values() for call in part.calls)
    response = session.trace.exchanges[calls[0]].response if calls else None
    reply = mapping(parse(response.body) if response else None)
    return len(listed(reply.get("token_ids"))) or count(reply, "completion_tokens") or 0


async def post_generation(
    session: TrainerSession,
    part: RolloutState,
    body: Mapping[str, object],
    key: Headers,
    within_s: float | None = None,
) -> int:
    request = Request("POST", "/v1/chat/completions", (JSON_HEADER, *key), json.dumps(body).encode())
    asked = "GenerationRequested"
    return await session.send(request, part.label, within_s, sent=asked, by="server", base_url=part.base_url)


@dataclass(frozen=True, slots=True)
class GenerateMinimal:
    """Request a generation with the members that no trainer can do without, to learn whether the others are what it rejects."""

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, "")
        body = {"model": "default", "messages": part.history, "rollout_id": part.rollout_id}
        n = await post_generation(session, part, body, _key(session, part, "own"))
        part.calls.append(Call(n, body, right=False))


def _is_truncated(session: TrainerSession, reply: Mapping[str, object]) -> bool:
    """Whether the end of the turn was not sampled: at `max_tokens`, or at a stop text."""
    ids = [one for one in listed(reply.get("token_ids")) if isinstance(one, int)]
    if ids:
        return not session.context.tokens.ends_turn(ids)
    return mappings(reply.get("choices"))[0].get("finish_reason") == "length"


def _add_to_history(session: TrainerSession, part: RolloutState, n: int, call: Call) -> None:
    """The generation becomes part of the history, and so does what the rollout server adds behind it."""
    exchange = session.trace.exchanges[n]
    reply = mapping(parse(exchange.response.body) if exchange.response else None)
    message = next((choice.get("message") for choice in mappings(reply.get("choices"))), None)
    if not isinstance(message, dict) or not sound(message):
        return
    tools = part.hosted.tools if part.hosted else ()
    ids, prompt, sent = reply.get("token_ids"), reply.get("prompt_token_ids"), listed(call.body.get("messages"))
    part.answered = len(sent) + 1
    part.prompt = len(prompt) if isinstance(prompt, list) else len(session.context.tokens.prompt_ids(sent, tools))
    part.sampled = len(ids) if isinstance(ids, list) else 0
    part.truncated = _is_truncated(session, reply)
    turn = sum(call.right and call.retry is None for call in part.calls)
    part.history = [*sent, message, *inserted(message, turn)]


@verb(
    "report_end",
    short="rollout",
    example=("{status: ERROR}", "{key: none}", "{repeat: true}", "{rollout_id: rc-unknown-1x}"),
)
@phrase("the rollout server reports the end of the rollout")
@phrase("the rollout server reports the end of the rollout with status {status:word}")
@phrase("the rollout server reports the end of the rollout without a key", key="none")
@phrase("the rollout server reports the end of the rollout with a wrong key", key="wrong")
@phrase("the rollout server reports the end of the rollout for the rollout id {rollout_id}")
@phrase("the rollout server repeats its last report", repeat=True)
@dataclass(frozen=True, slots=True)
class ReportEnd:
    """Report the end of a rollout: with the completed callback (dialect `callback`), or in the response to the start request (`sync`)."""

    rollout: str = ""
    "The name of the rollout within the case, where the case has several."
    status: str = "COMPLETED"
    "The status that is reported."
    key: Key = "own"
    "The key that is sent: the one that the trainer issued for the rollout, or none or a wrong one instead."
    rollout_id: str = ""
    "Another rollout id to send, instead of that of the rollout."
    repeat: bool = False
    "Whether to send the last completed callback again, byte for byte."
    members: Mapping[str, Any] = field(default_factory=dict)
    "Members of the result, instead of those that it has by default."
    raw_reward: str = ""
    "The member `reward`, as it stands in the body: `NaN` is no JSON."

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, self.rollout)
        result = {**_result(part, self.status, self.rollout_id), **self.members}
        body = json.dumps(result).encode()
        if self.raw_reward:
            body = b'{"reward": ' + self.raw_reward.encode() + b", " + body[1:]
        if session.context.dialect == "sync":
            if part.hosted is None:  # nobody started it, so that nobody waits for its result
                return
            part.hosted.result = body
            part.hosted.ended.set()
            await session.until(lambda: _has(session, part, "ResultReturned"), "the trainer to read the result")
            return
        if self.repeat and part.callbacks:
            body = session.trace.exchanges[part.callbacks[-1]].request.body
        request = Request("POST", "/v1/rollout/completed", (JSON_HEADER, *_key(session, part, self.key)), body)
        n = await session.send(request, part.label, base_url=part.base_url)
        part.callbacks.append(n)
        session.trace.event(part.label, "server", "CompletedSent", n)
        good = (_status(session, n) or 500) < 300
        part.reported = part.reported or good
        session.trace.event(part.label, "trainer", "CompletedAcknowledged" if good else "CompletedRejected", n)


def _result(part: RolloutState, status: str, rollout_id: str) -> dict[str, object]:
    failed = {"error_message": "The agent failed.", "finish_reason": "error"} if status == "ERROR" else {}
    return {
        "rollout_id": rollout_id or part.rollout_id,
        "status": status,
        "final_messages": part.history,
        "finish_reason": "stop",
        "metrics": {"num_llm_calls": len(part.calls), "num_tool_calls": 0},
        "extra_fields": {"note": "größer als 7 ✓", "parts": [1, 0.5]},
        **failed,
    }


@verb("read_record", short="rollout", example=("{wait_for_end: true}", "{rollout_id: rc-unknown-1x}"))
@phrase("the trainer's record of the rollout is read")
@phrase("the trainer's record of the rollout is read after its end", wait_for_end=True)
@phrase("the trainer's record of the rollout id {rollout_id} is read")
@dataclass(frozen=True, slots=True)
class ReadRecord:
    """Read the trainer's record of a rollout (`GET /rollouts/{rollout_id}`)."""

    rollout: str = ""
    "The name of the rollout within the case, where the case has several."
    wait_for_end: bool = False
    "Whether to read it until its status is no longer `running`."
    rollout_id: str = ""
    "Another rollout id to request, instead of that of the rollout."

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, self.rollout)
        path = f"/rollouts/{quote(self.rollout_id or part.rollout_id, safe='')}"
        end = asyncio.get_running_loop().time() + session.patience_s
        while True:
            n = await session.send(Request("GET", path, control_key(session.context)), "-")
            if not self.wait_for_end or _record_status(session, n) != "running":
                break
            if asyncio.get_running_loop().time() > end:
                part.records.append(n)
                raise WaitTimeout("the record to show an end")
            await asyncio.sleep(POLL_INTERVAL_S)
        part.records.append(n)


@verb("wait_for_start_requests", short="count", example="2")
@phrase("the rollout server has received {count} start request(s)")
@dataclass(frozen=True, slots=True)
class WaitForStartRequests:
    """Wait until the rollout server has received this number of start requests of a rollout."""

    count: int
    "How many, the rejected ones included."
    rollout: str = ""
    "The name of the rollout within the case, where the case has several."

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, self.rollout)
        await session.until(lambda: _starts(part) >= self.count, f"start request number {self.count}")


def _starts(part: RolloutState) -> int:
    return len(part.hosted.starts) if part.hosted else 0


def _record_status(session: TrainerSession, n: int) -> object:
    exchange = session.trace.exchanges[n]
    body = parse(exchange.response.body) if exchange.response else None
    return body.get("status") if isinstance(body, dict) else None


def _has(session: TrainerSession, part: RolloutState, name: str) -> bool:
    return (part.label, name) in session.trace.by_name


def _status(session: TrainerSession, n: int) -> int | None:
    response = session.trace.exchanges[n].response
    return response.status if response else None


def _key(session: TrainerSession, owner: RolloutState, which: Key) -> Headers:
    """The header with the key that the trainer issued for a rollout, or what is sent instead of it. Where rollouts need no control request,
    the key of the run stands in for one that was not issued."""
    issued = owner.hosted.key if owner.hosted else None
    if issued is None and session.context.source != "control":
        issued = session.context.target_key
    if which == "none" or (which == "own" and issued is None):
        return ()
    value = {"wrong": f"{issued}x", "non_ascii": "schl\u00fcssel"}.get(which, issued)
    return (("authorization", f"Bearer {value}"),)
