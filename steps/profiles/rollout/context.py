"""What the cases of a run share when they judge a rollout server, and what each of them keeps of its own rollouts."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject
from rollout_conformance.steps.engine.session import Session, State, WaitTimeout
from rollout_conformance.steps.http.responses import KeptResponse, Responses
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.peers.script import AnyCall, Call, Fault, HangingCall, Line, Script
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits, Tool
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides, StartRequest

CALCULATOR = ("add", "multiply", "subtract", "divide")
SEVERAL = 6  # ends that were missed
SHORT_S = 1.5


class CaseState(State, total=False):
    """What the verbs keep while a case is played: its rollouts by label, the nonce of its keys, the attempts that are known to have succeeded."""

    rollouts: "dict[str, RolloutState]"
    unique: str
    succeeded: dict[int, bool]
    responses: Responses[KeptResponse]


@dataclass(slots=True)
class RolloutState:
    """One rollout of a case while it runs."""

    label: str
    overrides: StartOverrides = field(default_factory=StartOverrides)
    script: Script = field(default_factory=Script)
    given: StartRequest | None = None
    enrolled: Enrolled | None = None
    sending: list[asyncio.Task[Any]] = field(default_factory=list)
    lease: str = ""
    wait_s: float = 30.0  # how long the server keeps a request for the result open
    polls: bool = True
    unpolled: bool = False  # a request for the result had a response after which no further one is sent


@dataclass(slots=True)
class Ends:
    """How many ends of rollouts a run waited for: those that came, and those that did not."""

    seen: int = 0
    missed: int = 0

    @contextlib.contextmanager
    def awaited(self, session: Session) -> Iterator[None]:
        """Wait for an end. Where several were missed and none ever came, the next one is not waited for as long, unless the case has the
        target to itself: that is how the first are confirmed."""
        if not self.seen and self.missed >= SEVERAL and not session.state.get("apart"):
            session.patience_s = min(session.patience_s, SHORT_S)
        try:
            yield
        except WaitTimeout:
            self.missed += 1
            raise
        self.seen += 1


@dataclass(slots=True)
class CaseContext:
    """`tools` are the tools that the target shows, by name; `trainer_url` where it finds the trainer."""

    trainer: ScriptedTrainer
    trainer_url: str
    dialect: str
    card: RolloutCard
    limits: RolloutLimits
    target_key: str | None
    run: str
    tokenizer: Path = TOKENIZER
    tokenizer_name: str | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    ends: Ends = field(default_factory=Ends)

    def nonce(self) -> str:
        """Unique in all runs: a server may remember the ids of an earlier one."""
        return f"rc-{self.run}-{next(self.counter)}x"

    def tokens_for(self, overrides: StartOverrides) -> tuple[tokens.Tokens, str]:
        """The tokenizer of a rollout and the name that the target is sent for it."""
        if overrides.tokenizer is None:
            return tokens.load(self.tokenizer), self.tokenizer_name or str(self.tokenizer)
        path = TOKENIZER.with_name(f"tokenizer_{overrides.tokenizer}")
        return tokens.load(path), str(path)

    def tool_names(self) -> set[str]:
        """The tools that the target lists, or that its card names."""
        return {*self.tools, *(tool.name for tool in self.card.tools or ())}

    def usable_tools(self) -> list[Tool]:
        """The calls that a policy may make: those of the card, else the calculator where the target lists it."""
        if self.card.tools is not None:
            return [tool for tool in self.card.tools if not tool.error]
        if not all(name in self.tools for name in CALCULATOR[:1]):
            return []
        return [tool for tool in _calculator() if tool.name in self.tools]

    def resolved(self, script: Script, number: int) -> Script:
        """The script with every call of any tool made a call of one."""
        lines = tuple(self._line(line, number) for line in script.lines)
        return Script(lines, script.acks)

    def _line(self, line: Line, number: int) -> Line:
        if isinstance(line, Fault):
            port = self.trainer_url.rpartition(":")[2]
            headers = tuple(
                (k, v.replace("{elsewhere}", f"http://localhost:{port}/elsewhere")) for k, v in line.headers
            )
            return replace(line, headers=headers)
        if all(isinstance(call, Call) for call in line.calls):
            return line
        return replace(line, calls=tuple(self._call(call, number) for call in line.calls))

    def _call(self, call: Call | AnyCall | HangingCall, number: int) -> Call:
        if isinstance(call, Call):
            return call
        if isinstance(call, HangingCall):
            if self.card.hanging_tool is None:
                raise SuiteError("this case needs the card's hanging_tool, and the card names none")
            return Call(self.card.hanging_tool.name, _text(self.card.hanging_tool.arguments))
        tools = self.usable_tools()
        if not tools:
            raise SuiteError("this case calls a tool, and neither the card nor the target names one")
        tool = tools[(call.nth - 1) % len(tools)]
        arguments = dict(tool.arguments)
        if self.card.tools is None:
            # every rollout gets numbers of its own, so that a result that reaches another one is seen
            arguments["a"] = arguments["a"] + number * arguments["b"]
        return Call(tool.name, _text(arguments))

    def tool_schemas(self) -> Sequence[JSON] | None:
        return list(self.tools.values()) or None


def _calculator() -> list[Tool]:
    return [
        Tool(name="add", arguments={"a": 5, "b": 3}, result=8),
        Tool(name="multiply", arguments={"a": 8, "b": 12}, result=96),
        Tool(name="subtract", arguments={"a": 10, "b": 4}, result=6),
        Tool(name="divide", arguments={"a": 9, "b": 3}, result=3),
    ]


def _text(arguments: JsonObject) -> str:
    return json.dumps(arguments)


RolloutSession = Session[CaseState, CaseContext]


def rollout_states(state: CaseState) -> dict[str, RolloutState]:
    """The rollouts of a session, by label."""
    return state.setdefault("rollouts", {})


def rollout_state(state: CaseState, label: str) -> RolloutState:
    return rollout_states(state).setdefault(label, RolloutState(label))
