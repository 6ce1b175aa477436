"""A recorded rollout as a case in YAML: the start request, the script of the trainer, and what came of them."""

import math
from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject, mapping
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.peers.token_oracle import sampled_by
from rollout_conformance.steps.profiles.recording import Recorded, written
from rollout_conformance.steps.profiles.rollout import trainer_script
from rollout_conformance.steps.profiles.rollout.case_model import Line as LineModel
from rollout_conformance.steps.profiles.rollout.invariants.tools import is_bare_number
from rollout_conformance.steps.profiles.rollout.recording.generation import Line, line, together
from rollout_conformance.steps.profiles.rollout.recording.rollout import RecordedRollout
from rollout_conformance.steps.profiles.rollout.start_request import (
    KEY_NAME,
    MEMBERS,
    SAMPLING,
    SAMPLING_NAME,
    STREAMED,
)

# What the suite makes for each rollout anew; a tokenizer of the trainer is known to its own server only.
MADE_ANEW = ("rollout_id", "tokenizer_name", "tokenizer_revision", "idempotency_key")
ORDINARY = {"max_turns": 10, "max_tokens_total": 8192, "label": "8", "grade": True}
LIMIT = "max_tokens_total"
ABOUT = {"stop": "ROLLOUT-112", "max_turns": "ROLLOUT-113", "max_tokens": "ROLLOUT-114"}
UNEXPLAINED = "it failed although its last generation was answered: a scenario has other tokens, and need not fail again; none is written."
TOLD = 300  # characters of a message of the server
COMPLETES, FAILS = "ROLLOUT-231", "ROLLOUT-119"


def recorded(rollout: RecordedRollout) -> Recorded:
    """The case that a rollout is, or why there is none."""
    if (why := _unwritten(rollout)) is not None:
        return Recorded(why=f"rollout {rollout.number}: {why}")
    script = together(line(one) for one in rollout.generations)
    if not rollout.succeeded and not _explains_a_failure(script[-1]):
        return Recorded(why=f"rollout {rollout.number}: {UNEXPLAINED}{_told(rollout)}")
    case = {
        "name": f"recorded rollout {rollout.number}",
        "requirements": [_about(rollout)],
        "dialects": [rollout.dialect],
        "start": _start(rollout, script),
        "trainer": script,
        **_acknowledgements(rollout),
        "expect": list(_expected(rollout)),
    }
    return written(case, remarks=_remarks(rollout))


def _explains_a_failure(last: Line) -> bool:
    """Whether the last line of a script is a failure of the trainer. The suite answers with tokens of its own: a server that failed over those
    of the trainer, or over something of its own, completes the scenario."""
    return "fail" in last or "hold" in last


def _told(rollout: RecordedRollout) -> str:
    result = rollout.result or {}
    message = result.get("error_message") or result.get("err_message")
    return f" The server reported: {printable(message)[:TOLD]}" if isinstance(message, str) and message else ""


def _unwritten(rollout: RecordedRollout) -> str | None:
    if rollout.rejected is not None:
        return f"its start request was answered {rollout.rejected}; no scenario is written."
    if rollout.cancelled:
        return "it was cancelled, at a moment that no scenario can repeat; none is written."
    if rollout.result is None:
        return "it had not ended when the recording did; no scenario is written."
    if not rollout.generations:
        return "it ended without a generation request; no scenario is written."
    return None


def _about(rollout: RecordedRollout) -> str:
    if not rollout.succeeded:
        return FAILS
    about = ABOUT.get(_finish(rollout), COMPLETES)
    return COMPLETES if rollout.dialect in STREAMED and about != ABOUT["stop"] else about


def _finish(rollout: RecordedRollout) -> str:
    result = rollout.result or {}
    reason = result.get("finish_reason") or mapping(result.get("extra_fields")).get("finish_reason")
    return reason if isinstance(reason, str) else "stop" if rollout.dialect in STREAMED else ""


def _start(rollout: RecordedRollout, script: list[Line]) -> dict[str, JSON]:
    """How the start request differs from the one that the suite sends."""
    body, own = rollout.start, ("server_url", "chat_completions_url", "completion_callback_url", "grader_callback_url")
    key, sampling = KEY_NAME[rollout.dialect], SAMPLING_NAME[rollout.dialect]
    made = {*MADE_ANEW, *own, key, sampling, "controller_api_key"}
    given: dict[str, Any] = {"messages": body.get("initial_messages", body.get("messages"))}
    if sampling and sampling in body and body[sampling] != dict(SAMPLING):
        given["only_sampling"] = body[sampling]
    named = {
        name: value for name, value in body.items() if name not in made and name not in ("messages", "initial_messages")
    }
    given |= {name: value for name, value in named.items() if name in MEMBERS and ORDINARY.get(name) != value}
    if (limit := _token_limit(rollout, script)) is not None:
        given[LIMIT] = limit
    if without := list(_without(rollout, key, sampling)):
        given["without"] = without
    if unknown := {name: value for name, value in named.items() if name not in MEMBERS}:
        given["unknown"] = unknown
    return given


def _without(rollout: RecordedRollout, key: str, sampling: str) -> Iterator[str]:
    """The members that the suite sends and this trainer does not."""
    usual = {
        "sync": ("max_turns", LIMIT),
        "callback": ("max_turns", LIMIT),
        "routed": ("rollout_id", "label", "grader_callback_url", "controller_api_key"),
        "leased": ("label", "grade"),
    }[rollout.dialect]
    yield from (name for name in usual if name not in rollout.start)
    if sampling and sampling not in rollout.start:
        yield "sampling"
    if rollout.start.get(key) is None:
        yield "key"


def _token_limit(rollout: RecordedRollout, script: list[Line]) -> int | dict[str, int] | None:
    """The limit of sampled tokens that ends the rollout where the recorded one ended: the suite's tokenizer counts others."""
    replies = [reply for one in script for reply in trainer_script.lines(LineModel.model_validate(one))]
    if _finish(rollout) == "max_tokens":
        return {"sampled": len(replies), "plus": 0}
    limit = rollout.start.get(LIMIT, ORDINARY[LIMIT])
    if (
        rollout.dialect in STREAMED
        or type(limit) is not int
        or sampled_by(tokens.load(TOKENIZER), replies, None) < limit
    ):
        return None
    return {"sampled": len(replies), "plus": 1}


def _acknowledgements(rollout: RecordedRollout) -> dict[str, JSON]:
    """The responses to callbacks, where they are not all a success."""
    acks = [one.status if one.status is not None else "reset" for one in rollout.callbacks]
    return {"acks": acks} if any(ack == "reset" or ack not in (200, 204) for ack in acks) else {}


def _expected(rollout: RecordedRollout) -> Iterator[Any]:
    yield _end(rollout)
    yield {"generation_requests": len(rollout.generations)}
    if rollout.dialect in ("callback", "routed"):
        yield {"callbacks": len(rollout.callbacks)}
    if rollout.succeeded and rollout.messages:
        yield {"final_message_roles": [str(message.get("role")) for message in rollout.messages]}
    values = _tool_values(rollout)
    if values and None not in values:
        yield {"tool_results": values}


def _end(rollout: RecordedRollout) -> JSON:
    if not rollout.succeeded:
        return "failed"
    reason = _finish(rollout)
    return {"completed": reason} if reason else "completed"


def _tool_values(rollout: RecordedRollout) -> list[JSON]:
    """The results of the tools that a next time has to repeat: numbers, and that there was an error. None for any other text."""
    if not rollout.succeeded:
        return []
    before = len(_messages(rollout.start))
    later = rollout.messages[before:]
    return [_value(message.get("content")) for message in later if message.get("role") == "tool"]


def _messages(body: JsonObject) -> list[JSON]:
    messages = body.get("initial_messages", body.get("messages"))
    return messages if isinstance(messages, list) else []


def _value(content: object) -> JSON:
    if isinstance(content, str) and content.strip().lower().startswith("error"):
        return "error"
    if not isinstance(content, str) or not is_bare_number(content) or not math.isfinite(number := float(content)):
        return None
    return int(number) if number.is_integer() else number


def _remarks(rollout: RecordedRollout) -> Iterator[str]:
    if None in _tool_values(rollout):
        yield "The tools returned text, which may differ the next time: write `tool_results` in `expect` where it has to be the same."
    if not rollout.messages and rollout.succeeded:
        yield "The result shows no messages."
