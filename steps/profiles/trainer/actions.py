"""What the suite does to a trainer, as its rollout server. Actions drive; none of them judges."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import Exchange, Request, parse
from rollout_conformance.steps.engine.verb_parsing import Written, made, members
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import StartAnswer
from rollout_conformance.steps.profiles.trainer.generation import status_of
from rollout_conformance.steps.profiles.trainer.rollout_naming import naming
from rollout_conformance.steps.profiles.trainer.sent_keys import Key, key_headers
from rollout_conformance.steps.profiles.trainer.starting import BEGIN, JSON_HEADER, Wanted, control_key
from rollout_conformance.steps.profiles.trainer.state import (
    RolloutState,
    TrainerSession,
    rollout_state,
)

POLL_INTERVAL_S = 0.03
Tool = Literal["add", "subtract", "multiply", "__proto__", "constructor"]
ALL_TOOLS: tuple[Tool, ...] = ("add", "subtract", "multiply")


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
    "The tools of the rollout server; none that calculates has the name of a member of every object in JavaScript, such as `constructor`."
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
        tools = calculator.named(self.tools)
        timeout = {} if self.timeout_s is None else {"timeout_s": self.timeout_s}
        members = {**timeout, **self.members}
        same, like = self.same_server_as, self.id_like
        return Wanted(
            tools=tools,
            responses=self.responses(),
            members=members,
            same_server_as=same,
            wait=self.wait,
            id_like=like,
            id_ending=self.id_ending,
            accept_after_s=self.accept_after_s,
        )

    def responses(self) -> list[StartAnswer]:
        """The first responses, with their `Retry-After`."""
        if self.retry_after_s is None:
            return list(self.first_responses)
        header = ("retry-after", f"{self.retry_after_s}")
        return [StartAnswer(one.status, (*one.headers, header)) for one in self.first_responses]


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
        name = naming(session.context.place, part, self.rollout_id or part.rollout_id)
        headers = (JSON_HEADER, *name.headers, *key_headers(session, part, self.key, self.rollout_id))
        request = Request("POST", f"{name.path}/v1/rollout/completed", headers, body)
        n = await session.send(request, part.label, base_url=name.base_url)
        part.callbacks.append(n)
        session.trace.event(part.label, "server", "CompletedSent", n)
        good = (status_of(session, n) or 500) < 300
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
        path = f"/rollouts/{path_segment(self.rollout_id or part.rollout_id)}"
        end = asyncio.get_running_loop().time() + session.patience_s
        while True:
            n = await session.send(Request("GET", path, control_key(session.context)), "-")
            if not self.wait_for_end or _shows_end(session.trace.exchanges[n]):
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


def _shows_end(exchange: Exchange) -> bool:
    """Whether the record was read, and does not say that its rollout is running; without a response it is read again."""
    if exchange.response is None:
        return False
    body = parse(exchange.response.body)
    return not isinstance(body, dict) or body.get("status") != "running"


def _has(session: TrainerSession, part: RolloutState, name: str) -> bool:
    return (part.label, name) in session.trace.by_name
