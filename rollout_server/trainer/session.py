"""The state of one rollout at the trainer: which request is valid next, and the result. No I/O and no waiting.

running -> COMPLETED | ERROR | TIMEOUT, once. A generation request is new, equal to the open one, equal to the last
answered one, or rejected.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.trainer import errors, history
from rollout_conformance.rollout_server.trainer.backend import Generation
from rollout_conformance.rollout_server.trainer.prompt import Prompt
from rollout_conformance.rollout_server.trainer.trajectory import Trajectory, Turn, extended

Status = Literal["running", "COMPLETED", "ERROR", "TIMEOUT"]
Message = Mapping[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenGeneration:
    """A running generation, for a body with this digest."""

    digest: bytes
    reply: "asyncio.Task[Reply]"


@dataclass(frozen=True, slots=True)
class Branch:
    """A conversation that another one has replaced for now: it may still be continued."""

    messages: Sequence[Message]
    trajectory: Trajectory


@dataclass(slots=True)
class Session:
    """`messages` is the conversation up to the last reply; `tools` are None until they are known; without `key` none is asked for.
    `branches` are the other conversations of a rollout that may have any, None where it is one."""

    rollout_id: str
    dialect: str
    key: str | None
    messages: Sequence[Message]
    tools: Sequence[Message] | None = None
    trajectory: Trajectory = field(default_factory=Trajectory)
    status: Status = "running"
    finish_reason: str | None = None
    error_message: str | None = None
    result: Mapping[str, Any] | None = None
    open: OpenGeneration | None = None
    last: tuple[bytes, Reply] | None = None
    branches: list[Branch] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def turns(self) -> int:
        return len(self.trajectory.turns)

    def set_tools(self, tools: Sequence[Message]) -> None:
        self.tools = tools
        self.ready.set()

    def check_running(self) -> None:
        if self.status != "running":
            raise errors.ended()

    def stored_reply(self, digest: bytes) -> Reply | None:
        """The stored reply, when this repeats the last request."""
        return self.last[1] if self.last and self.last[0] == digest else None

    def open_reply(self, digest: bytes) -> "asyncio.Task[Reply] | None":
        """The generation to wait for, when this repeats the open request. Raises `ApiError` 409 when another one is open."""
        if self.open is not None and self.open.digest != digest:
            raise errors.busy()
        return self.open.reply if self.open else None

    def check_history(self, messages: Sequence[Message]) -> None:
        if self.branches is not None:
            self._turn_to(messages, self.branches)
        history.check(self.messages, messages, turns=self.turns)

    def _turn_to(self, messages: Sequence[Message], others: list[Branch]) -> None:
        """The branch that these messages continue furthest becomes the current one, or else a new one, whose whole prompt is theirs."""
        known = [*others, Branch(self.messages, self.trajectory)]
        others[:] = [branch for branch in known if branch.trajectory.turns]
        fitting = [branch for branch in others if history.extends(branch.messages, messages)]
        chosen = max(fitting, key=lambda branch: len(branch.messages), default=Branch((), Trajectory()))
        if chosen in others:
            others.remove(chosen)
        self.messages, self.trajectory = chosen.messages, chosen.trajectory

    def commit(
        self, digest: bytes, messages: Sequence[Message], made: Generation, prompt: Prompt, reply: Reply
    ) -> None:
        """A generation becomes part of the rollout. Raises `ApiError` 409 when the rollout ended in the meantime."""
        self.check_running()
        turn = Turn(made.prompt_token_ids, made.token_ids, made.logprobs)
        self.trajectory = extended(self.trajectory, turn, prompt.text + made.text, prompt.inserted)
        self.messages = [*messages, made.message]
        self.last = (digest, reply)

    def end(
        self,
        status: Status,
        *,
        finish_reason: str | None = None,
        error_message: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> bool:
        """The first end is kept. False when there was one before."""
        if self.status != "running":
            return False
        self.status, self.finish_reason, self.error_message, self.result = status, finish_reason, error_message, result
        self.ended.set()
        self.ready.set()
        return True

    def record(self) -> dict[str, Any]:
        """With branches, each of them has the turns and tokens of its own, and the record itself has none."""
        tokens = self.trajectory.describe()
        if self.branches is not None:
            lines = [*(branch.trajectory for branch in self.branches), self.trajectory]
            tokens = Trajectory().describe() | {"branches": [line.describe() for line in lines if line.turns]}
        return {
            "rollout_id": self.rollout_id,
            "dialect": self.dialect,
            "status": self.status,
            "finish_reason": self.finish_reason,
            "error_message": self.error_message,
            **tokens,
            "result": self.result,
        }


def digest(body: Any) -> bytes:
    """Equal for bodies with equal values."""
    return hashlib.sha256(json_text.canonical(body)).digest()
