"""Conversations between a client and an inference server, recorded as scenarios.

What the model said is no expectation: it changes with the weights. The invariants judge every response when the scenario is played.
"""

import itertools
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject, mapping, mappings
from rollout_conformance.steps.engine.printable import UNPRINTABLE
from rollout_conformance.steps.engine.redaction import scrubbed
from rollout_conformance.steps.engine.trace import Request, parse
from rollout_conformance.steps.peers.reverse_proxy import Passed, Route
from rollout_conformance.steps.profiles import recording
from rollout_conformance.steps.profiles.chat.assembled_stream import whole_of
from rollout_conformance.steps.profiles.chat.requests import CHAT, COMPLETIONS, SAMPLING
from rollout_conformance.steps.profiles.recording import Recorded

ABOUT = "CHAT-001"
OWN_MEMBERS = ("model", "messages", "prompt", "stream")
SHOWN = 100  # characters of an answer in a remark


@dataclass(frozen=True, slots=True)
class Turn:
    """One request for a completion, and the response."""

    body: Mapping[str, Any]
    passed: Passed

    @property
    def messages(self) -> list[JSON]:
        messages = self.body.get("messages")
        return messages if isinstance(messages, list) else []


@dataclass(slots=True)
class Conversation:
    """Requests of which each has the messages of the one before."""

    number: int
    turns: list[Turn] = field(default_factory=list)
    taken: bool = False

    def continued_by(self, messages: list[JSON]) -> bool:
        before = self.turns[-1].messages
        return 0 < len(before) < len(messages) and messages[: len(before)] == before


class ChatRecorder:
    """Recordings of conversations with one server."""

    def __init__(self, target: str) -> None:
        self.target = target.rstrip("/")
        self.own_url = ""
        self.conversations: list[Conversation] = []
        self.failures: list[str] = []
        self.counter = itertools.count(1)

    def route(self, request: Request) -> Route | None:
        recording.remember_headers(request)
        path = request.path.partition("?")[0]
        body = parse(request.body) if request.method == "POST" and path.endswith((CHAT[3:], COMPLETIONS[3:])) else None
        listener = partial(self._answered, body) if isinstance(body, dict) else _unheard
        return Route(self.target + request.path, request.body, listener)

    def ended(self) -> Iterator[Recorded]:
        """A conversation may always go on: each ends with the recording. Only what is no turn of one is told at once."""
        failures, self.failures = self.failures, []
        yield from (Recorded(why=why) for why in failures)

    def rest(self) -> Iterator[Recorded]:
        yield from self.ended()
        for conversation in self.conversations:
            if not conversation.taken:
                conversation.taken = True
                yield recorded(conversation)

    def _answered(self, body: JsonObject, passed: Passed) -> None:
        turn = Turn(body, passed)
        number = next(self.counter)
        if passed.status != 200:
            seen = passed.fault or f"it was answered {passed.status}"
            self.failures.append(f"request {number}: {seen}; it is in no scenario.")
        elif not turn.messages and not isinstance(body.get("prompt"), str):
            self.failures.append(
                f"request {number}: it has neither messages nor a text as prompt; it is in no scenario."
            )
        else:
            self._conversation(turn.messages).turns.append(turn)

    def _conversation(self, messages: list[JSON]) -> Conversation:
        """The longest conversation that these messages continue, or a new one."""
        continued = [one for one in self.conversations if one.continued_by(messages)]
        if continued:
            return max(continued, key=lambda one: len(one.turns[-1].messages))
        self.conversations.append(Conversation(len(self.conversations) + 1))
        return self.conversations[-1]


def _unheard(passed: Passed) -> None:
    """What is no request for a completion is forwarded, and not recorded."""


def recorded(conversation: Conversation) -> Recorded:
    """The case that a conversation is."""
    names = [f"turn{n}" for n in range(1, len(conversation.turns) + 1)]
    case = {
        "name": f"recorded conversation {conversation.number}",
        "requirements": [ABOUT],
        "steps": [{"chat": _request(name, turn)} for name, turn in zip(names, conversation.turns, strict=True)],
        "expect": [{"status": {"of": name}} for name in names],
    }
    models = sorted({turn.body["model"] for turn in conversation.turns if isinstance(turn.body.get("model"), str)})
    told = [f"{name}: {_said(turn.passed)}" for name, turn in zip(names, conversation.turns, strict=True)]
    remarks = (
        "What the model said is not expected; add `contains` or `tool_calls` where it has to stay. It said:",
        *told,
    )
    options = f"--model {shlex.quote(models[0])}" if len(models) == 1 and models[0].isprintable() else ""
    return recording.written(case, options, remarks)


def _request(name: str, turn: Turn) -> dict[str, JSON]:
    """A request as a step writes it: all members but the model, and without those that the suite would add."""
    body = {key: value for key, value in turn.body.items() if key not in OWN_MEMBERS}
    written: dict[str, Any] = {"name": name}
    if turn.messages:
        written["messages"] = turn.messages
    else:
        written["prompt"] = turn.body["prompt"]
    if turn.body.get("stream") is True:
        written["stream"] = True
    if any(mapping(message).get("role") == "assistant" for message in turn.messages):
        written["invented_history"] = True  # a client may send a turn back otherwise than the server rendered it
    if body:
        written["body"] = body
    if without := [member for member in SAMPLING if member not in turn.body]:
        written["without"] = without
    return written


def _said(passed: Passed) -> str:
    """The beginning of an answer, on one line."""
    response = passed.response
    body = whole_of(response) if response is not None else None
    choice = next(iter(mappings(mapping(body).get("choices"))), {})
    message = mapping(choice.get("message"))
    calls = [str(mapping(call.get("function")).get("name")) for call in mappings(message.get("tool_calls"))]
    text = str(scrubbed(message.get("content") or choice.get("text") or ""))  # before it is cut
    shown = f"calls {', '.join(calls)}" if calls else text
    return UNPRINTABLE.sub("?", " ".join(shown.split()))[:SHOWN]
