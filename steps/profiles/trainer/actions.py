"""What the suite does to a trainer, as its rollout server: one frozen value a verb. They drive; none of them judges."""

import asyncio
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Headers, Request, parse
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, StartAnswer
from rollout_conformance.steps.profiles.trainer.state import (
    QUESTIONS,
    Call,
    CaseContext,
    RolloutState,
    inserted,
    insertions,
    rollout_state,
    rollout_states,
    sound,
)

SAMPLING: Mapping[str, Any] = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 512, "logprobs": True}
PAUSE_S = 0.03
MASKS = ("right", "missing", "null", "short", "long", "two", "negative", "text", "half")
HISTORIES = ("right", "rewritten", "cut", "back", "dropped", "swapped", "arguments", "reply")


@dataclass(frozen=True, slots=True)
class Enroll:
    """Have the trainer start a rollout at our server, and wait for its start request.

    `tools` are the names that our server shows of the calculator; `refuse` how it answers the first starts; `change` is merged over the
    control request. `wait` False does not wait for the start to be accepted. `beside` names a rollout whose server this one shares.
    """

    rollout: str = ""
    tools: tuple[str, ...] = ("add", "subtract", "multiply")
    refuse: tuple[StartAnswer, ...] = ()
    change: Mapping[str, Any] = field(default_factory=dict)
    wait: bool = True
    beside: str = ""

    async def perform(self, session: Session) -> None:
        context: CaseContext = session.context
        part = rollout_state(session.state, self.rollout)
        nonce = context.nonce()
        place = rollout_state(session.state, self.beside).rollout_id if self.beside else nonce
        shown = [tool for tool in calculator.tools() if tool["function"]["name"] in self.tools]
        part.rollout_id, part.beside = nonce, self.beside
        part.hosted = HostedRollout(part.label, place, context.dialect, session.trace, shown, nonce, list(self.refuse))
        context.host.host(part.hosted)
        part.messages = [
            {"role": "system", "content": f"You are a helpful calculator assistant. Session {nonce}."},
            {"role": "user", "content": QUESTIONS[0]},
        ]
        body = {
            "rollout_id": nonce,
            "dialect": context.dialect,
            "server_url": f"{context.host_url}/of/{place}",
            "messages": part.messages,
            "sampling_params": dict(SAMPLING),
            "max_turns": 10,
            "max_tokens_total": 8192,
            **self.change,
        }
        headers = (("content-type", "application/json"), *_control(context))
        part.asked = await session.send(Request("POST", "/rollouts", headers, json.dumps(body).encode()), "-")
        if self.wait and _status(session, part.asked) in (200, 201, 202):
            await session.until(lambda: _accepted(part), "the start request of the trainer")
            sent = listed(part.hosted.body.get("messages"))
            part.history = sent if len(sent) >= len(part.messages) and all(map(sound, sent)) else part.messages


def _accepted(part: RolloutState) -> bool:
    return part.hosted is not None and part.hosted.accepted


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask for a generation: the next turn, unless told otherwise.

    `mask` is one of MASKS (sync), `history` one of HISTORIES. `key`: right, none, wrong, latin, or other:LABEL. `under`: another
    rollout_id. `retry` sends the newest right call again; `together` as many at once. `change` is merged over the body.
    """

    rollout: str = ""
    mask: str = "right"
    history: str = "right"
    key: str = "right"
    under: str = ""
    retry: bool = False
    together: int = 1
    change: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("mask", MASKS), ("history", HISTORIES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(known)}")

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        right = [call for call in part.calls if call.right and call.retry is None]
        retried = right[-1].n if self.retry and right else None
        body = dict(right[-1].body) if self.retry and right else self._body(session, part)
        await asyncio.gather(*(self._ask(session, part, body, retried if n == 0 else -1) for n in range(self.together)))

    def is_right(self) -> bool:
        wanted = (self.mask, self.history, self.key, self.under, dict(self.change)) == (
            "right",
            "right",
            "right",
            "",
            {},
        )
        return wanted or (self.mask == "right" and self.history == "right" and self.key == "right" and not self.under)

    def _body(self, session: Session, part: RolloutState) -> dict[str, Any]:
        context: CaseContext = session.context
        messages = _bent(part.history, self.history)
        body: dict[str, Any] = {
            "model": "default",
            "messages": messages,
            "rollout_id": self.under or part.rollout_id,
            **SAMPLING,
            "stop": None,
        }
        if context.dialect == "sync" and self.mask != "missing":
            body["response_mask"] = _wrong(self.mask, insertions(context.tokens, part))
        return {**body, **self.change}

    async def _ask(self, session: Session, part: RolloutState, body: Mapping[str, Any], retry: int | None) -> None:
        headers = (("content-type", "application/json"), *_key(session, part, self.key))
        request = Request("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
        n = await session.send(request, part.label, sent="ChatAsked", by="server")
        part.calls.append(Call(n, body, self.is_right(), retry))
        good = _status(session, n) == 200
        session.trace.event(part.label, "trainer", "ChatAnswered" if good else "ChatRefused", n)
        if good and self.is_right() and retry is None:
            _adopt(session, part, n, body)


def _adopt(session: Session, part: RolloutState, n: int, body: Mapping[str, Any]) -> None:
    """The reply becomes part of the conversation, and what follows it is put behind it."""
    exchange = session.trace.exchanges[n]
    reply = mapping(parse(exchange.response.body) if exchange.response else None)
    message = next((choice.get("message") for choice in mappings(reply.get("choices"))), None)
    if not isinstance(message, dict) or not sound(message):
        return
    tools = part.hosted.tools if part.hosted else ()
    ids, prompt = reply.get("token_ids"), reply.get("prompt_token_ids")
    part.answered = len(body["messages"]) + 1
    part.prompt = (
        len(prompt) if isinstance(prompt, list) else len(session.context.tokens.prompt_ids(body["messages"], tools))
    )
    part.sampled = len(ids) if isinstance(ids, list) else 0
    turn = sum(call.right and call.retry is None for call in part.calls)
    part.history = [*body["messages"], message, *inserted(message, turn)]


def _wrong(how: str, lengths: tuple[int, ...]) -> Any:
    """A mask with one thing wrong. `lengths` are the right ones, the first as the rule has it; none before the first reply."""
    mask = [0] * lengths[0] if lengths and lengths[0] > 0 else None
    zeros = mask or [0]
    bent: dict[str, Any] = {
        "right": mask,
        "null": None,
        "short": [0] * (min(lengths, default=1) - 1) or None,
        "long": [0] * (max(lengths, default=1) + 1),
        "two": [2, *zeros[1:]],
        "negative": [-1, *zeros[1:]],
        "text": ["0", *zeros[1:]],
        "half": [0.5, *zeros[1:]],
    }
    return bent[how]


def _bent(history: list[Any], how: str) -> list[Any]:
    messages = copy.deepcopy(history)
    if len(messages) < 2:  # no start was accepted: there is nothing to bend
        return messages
    if how == "rewritten":
        messages[1]["content"] = "Please calculate 1 plus 1."
    elif how == "cut":
        messages = messages[:1]
    elif how == "back":
        ends = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
        messages = messages[: ends[0] + 1] if ends else messages
    elif how == "dropped":
        messages = [message for message in messages if message.get("role") != "assistant"]
    elif how == "swapped":
        messages[0], messages[1] = messages[1], messages[0]
    elif how == "arguments":
        for message in messages:
            for call in message.get("tool_calls") or ():
                call["function"]["arguments"] = str(call["function"]["arguments"]).replace("}", " }")
    elif how == "reply":
        for message in messages:
            if message.get("role") == "assistant":
                message["content"] = "Something else."
    return messages


@dataclass(frozen=True, slots=True)
class Complete:
    """Report the end: the completion (callback), or the answer to the blocked start (sync). `again` repeats the newest as it was."""

    rollout: str = ""
    status: str = "COMPLETED"
    key: str = "right"
    under: str = ""
    again: bool = False

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        body = json.dumps(_result(part, self.status, self.under)).encode()
        if session.context.dialect == "sync":
            assert part.hosted is not None
            part.hosted.result = body
            part.hosted.ended.set()
            await session.until(lambda: _has(session, part, "ResultReturned"), "the trainer to read the result")
            return
        if self.again and part.posts:
            body = session.trace.exchanges[part.posts[-1]].request.body
        headers = (("content-type", "application/json"), *_key(session, part, self.key))
        n = await session.send(Request("POST", "/v1/rollout/completed", headers, body), part.label)
        part.posts.append(n)
        session.trace.event(part.label, "server", "CompletedPosted", n)
        good = (_status(session, n) or 500) < 300
        session.trace.event(part.label, "trainer", "CompletedAcked" if good else "CompletedRefused", n)


def _result(part: RolloutState, status: str, under: str) -> dict[str, Any]:
    failed = {"error_message": "The agent failed.", "finish_reason": "error"} if status == "ERROR" else {}
    return {
        "rollout_id": under or part.rollout_id,
        "status": status,
        "final_messages": part.history,
        "finish_reason": "stop",
        "metrics": {"num_llm_calls": len(part.calls), "num_tool_calls": 0},
        "extra_fields": {},
        **failed,
    }


@dataclass(frozen=True, slots=True)
class Record:
    """Read the trainer's record of a rollout; `ended` waits until it is no longer running. `under` asks for another id."""

    rollout: str = ""
    ended: bool = False
    under: str = ""

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        path = f"/rollouts/{self.under or part.rollout_id}"
        end = asyncio.get_running_loop().time() + session.patience_s
        while True:
            n = await session.send(Request("GET", path, _control(session.context)), "-")
            if not self.ended or _record_status(session, n) != "running":
                break
            if asyncio.get_running_loop().time() > end:
                part.records.append(n)
                raise WaitTimeout("the record to show an end")
            await asyncio.sleep(PAUSE_S)
        part.records.append(n)


@dataclass(frozen=True, slots=True)
class StartsArrive:
    """Wait for the n-th start request of a rollout."""

    nth: int
    rollout: str = ""

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        await session.until(lambda: _starts(part) >= self.nth, f"start request number {self.nth}")


def _starts(part: RolloutState) -> int:
    return len(part.hosted.starts) if part.hosted else 0


def _record_status(session: Session, n: int) -> Any:
    exchange = session.trace.exchanges[n]
    body = parse(exchange.response.body) if exchange.response else None
    return body.get("status") if isinstance(body, dict) else None


def _has(session: Session, part: RolloutState, name: str) -> bool:
    return (part.label, name) in session.trace.by_name


def _status(session: Session, n: int) -> int | None:
    response = session.trace.exchanges[n].response
    return response.status if response else None


def _control(context: CaseContext) -> Headers:
    return (("authorization", f"Bearer {context.target_key}"),) if context.target_key else ()


def _key(session: Session, part: RolloutState, how: str) -> Headers:
    issued = part.hosted.key if part.hosted else None
    if how.startswith("other:"):
        other = rollout_states(session.state)[how.removeprefix("other:")].hosted
        issued = other.key if other else None
    if how == "none" or (how == "right" and issued is None):
        return ()
    value = {"wrong": f"{issued}x", "latin": "schl\u00fcssel"}.get(how, issued)
    return (("authorization", f"Bearer {value}"),)
