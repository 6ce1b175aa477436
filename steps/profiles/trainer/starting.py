"""How a rollout of a case begins, by `rollouts:` on the card: a control request, nothing at all, or a start request that arrives."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import Headers, Request
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.peers.arriving_starts import ArrivingStart, ArrivingStarts
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, StartAnswer
from rollout_conformance.steps.profiles.trainer.state import (
    QUESTIONS,
    CaseContext,
    RolloutState,
    TrainerSession,
    rollout_state,
    rollout_states,
    sound,
)

SAMPLING: Mapping[str, object] = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 512, "logprobs": True}
NOT_PASSED_ON = {"messages", "rollout_id", "response_mask", "stream", "stream_options", "n", "tools", "tool_choice"}
JSON_HEADER = ("content-type", "application/json")
FURTHER_S = (
    10.0  # how long a further start request is waited for while the trainer waits for an earlier rollout of the case
)
STARVED_S = 1.0  # how long one is waited for once the trainer is known to send no more
GATE = "the end of the case"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a case asks of the rollout that begins: `tools` and `responses` are those of its rollout server."""

    tools: Sequence[object]
    responses: list[StartAnswer]
    members: Mapping[str, object]
    same_server_as: str
    wait: bool
    id_like: str = ""
    id_ending: str = ""
    accept_after_s: float = 0.0


async def by_control_request(session: TrainerSession, part: RolloutState, wanted: Wanted) -> None:
    context: CaseContext = session.context
    nonce = part.nonce = context.nonce()
    other = wanted.same_server_as
    server = rollout_state(session.state, other).nonce if other else nonce
    part.rollout_id, part.same_server_as, part.sampling = _id(session, part, wanted), other, SAMPLING
    part.hosted = HostedRollout(
        part.label, server, context.dialect, session.trace, wanted.tools, part.rollout_id, wanted.responses
    )
    part.hosted.accept_after_s = wanted.accept_after_s
    part.sent_tools = _sent_tools(session, wanted, {})
    context.host.host(part.hosted)
    part.messages = prompt(nonce)
    body = {
        "rollout_id": part.rollout_id,
        "dialect": context.dialect,
        "server_url": f"{context.host_url}/of/{server}",
        "messages": part.messages,
        "sampling_params": dict(SAMPLING),
        "max_turns": 10,
        "max_tokens_total": 8192,
        **wanted.members,
    }
    headers = (JSON_HEADER, *control_key(context))
    part.control = await session.send(Request("POST", "/rollouts", headers, json.dumps(body).encode()), "-")
    response = session.trace.exchanges[part.control].response
    if wanted.wait and response is not None and response.status in (200, 201, 202):
        await session.until(lambda: part.began, "the start request of the trainer")
        sent = listed(part.hosted.body.get("messages"))
        part.history = sent if len(sent) >= len(part.messages) and all(map(sound, sent)) else part.messages


async def by_itself(session: TrainerSession, part: RolloutState, wanted: Wanted) -> None:
    """Nobody starts the rollout: its first generation request does, with the messages of the case where it has any."""
    part.nonce, part.sampling, part.open = session.context.nonce(), SAMPLING, True
    part.rollout_id = _id(session, part, wanted)
    part.messages = part.history = listed(wanted.members.get("messages")) or prompt(part.nonce)
    part.sent_tools = _sent_tools(session, wanted, {})


def _sent_tools(session: TrainerSession, wanted: Wanted, start: Mapping[str, object]) -> Sequence[object]:
    """The tools that generation requests have: those of the start request, else those of the case where the card says that they have any."""
    own = [tool for tool in mappings(start.get("tools")) if isinstance(mapping(tool.get("function")).get("name"), str)]
    return own or (wanted.tools if session.context.described.requests_have_tools else ())


def _id(session: TrainerSession, part: RolloutState, wanted: Wanted) -> str:
    """The id of a rollout: unlike any other, or nearly that of an earlier one."""
    like = rollout_state(session.state, wanted.id_like) if wanted.id_like else part
    return f"{like.nonce}{wanted.id_ending}"


async def by_arrival(session: TrainerSession, part: RolloutState, wanted: Wanted) -> None:
    starts, dialect, closing = session.context.starts, session.context.dialect, session.context.closing
    assert starts is not None
    assert closing is not None
    start = await _next(session, starts)
    if start is None:
        raise WaitTimeout("a start request of the trainer")
    part.rollout_id = start.rollout_id
    part.hosted = HostedRollout(part.label, "", dialect, session.trace, wanted.tools, part.rollout_id, wanted.responses)
    part.hosted.accept_after_s = wanted.accept_after_s
    part.messages = part.history = start.messages
    part.base_url = base_url(start)
    part.sampling = {**SAMPLING, **sampling(start)}
    part.sent_tools = _sent_tools(session, wanted, start.body)
    starts.running[part.rollout_id] = part.hosted
    closing.end_after(session.hold(GATE), part)
    start.taken(part.hosted)
    session.touch()
    if wanted.wait:
        await session.until(lambda: part.began, "the start request of the trainer once more")


async def _next(session: TrainerSession, starts: ArrivingStarts) -> ArrivingStart | None:
    """The next start request for the case. It waits its turn for as long as others arrive in its dialect."""
    further = any(part.began for part in rollout_states(session.state).values())
    within_s = min(FURTHER_S, session.patience_s) if further else session.patience_s
    within_s = STARVED_S if starts.starved else within_s
    dialect, start, before = session.context.dialect, None, -1
    while start is None and before != (before := starts.counts[dialect]):
        session.touch()
        start = await starts.next(lambda one: fits(one, dialect), within_s, first=further)
    if start is None:
        session.state["no_occasion"] = _none_arrived(within_s, further)
        starts.starved = starts.starved or (not further and not starts.running)
    return start


def _none_arrived(within_s: float, further: bool) -> str:
    if further:
        return f"no further start request arrived within {within_s:g} s while the first rollout ran: the case needs two at once"
    return (
        f"no start request for this case arrived within {within_s:g} s; let the trainer start more rollouts, or wait longer with "
        "--patience"
    )


def fits(start: ArrivingStart, dialect: str) -> bool:
    """Whether a case of this dialect can be played with a rollout: its prompt is text, and it says where generation requests go."""
    known = start.dialect == dialect and base_url(start).startswith(("http://", "https://"))
    return known and all(map(sound, start.messages))


def base_url(start: ArrivingStart) -> str:
    url = start.body.get("server_url")
    return url.rstrip("/") if isinstance(url, str) else ""


def sampling(start: ArrivingStart) -> dict[str, object]:
    """The parameters that a rollout server passes on to generation requests."""
    given = mapping(start.body.get("sampling_params" if start.dialect == "sync" else "completion_params"))
    return {name: value for name, value in given.items() if name not in NOT_PASSED_ON and value is not None}


def prompt(nonce: str) -> list[object]:
    return [
        {"role": "system", "content": f"You are a helpful calculator assistant. Session {nonce}."},
        {"role": "user", "content": QUESTIONS[0]},
    ]


def control_key(context: CaseContext) -> Headers:
    return tuple(bearer(context.target_key).items())


BEGIN = {"control": by_control_request, "open": by_itself, "started": by_arrival}
