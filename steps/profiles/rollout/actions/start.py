"""The start of rollouts: one, several at once, the same again, or one with other credentials."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.engine.trace import Headers
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, rollout_state
from rollout_conformance.steps.profiles.rollout.start_client import register_rollout, send_start
from rollout_conformance.steps.profiles.rollout.start_request import known_members

ABOVE, MOST = 4, 128  # how far above the declared limit, and where a limit is too large to be reached


def start_members(written: object) -> JsonObject:
    """Members of the start request. Raises `ValueError` for a name that no dialect knows."""
    if not isinstance(written, Mapping):
        raise ValueError(f"these are members of the start request, as {{max_turns: 3}}; seen: {written!r}")
    known_members(written)
    return written


@verb("start", short="rollout", example=("left", "{copies: 8}", "{rollout: left, above_limit: true}"))
@phrase("the trainer starts the rollout")
@phrase("the trainer starts {copies} rollouts concurrently")
@dataclass(frozen=True, slots=True)
class Start:
    """Start a rollout, or several copies of it at the same time, each with an id, a key and numbers of its own."""

    rollout: str = ""
    "The label of the rollout; the copies are labelled label#1, label#2 and so on."
    copies: int = 1
    "How many are started."
    above_limit: bool = False
    "Start some more than the `max_concurrent` of the target card instead."
    retry_when_busy: bool = True
    "Whether a start request that is answered 429, or 503 with Retry-After, is sent again later, as a trainer would."

    async def perform(self, session: RolloutSession) -> None:
        labels = self._labels((session.context.limits.max_concurrent or 0) + ABOVE if self.above_limit else self.copies)
        await asyncio.gather(*(self._one(session, label) for label in labels))

    def _labels(self, copies: int) -> list[str]:
        return [self.rollout] if copies == 1 else [f"{self.rollout}#{n + 1}" for n in range(min(copies, MOST))]

    async def _one(self, session: RolloutSession, label: str) -> None:
        origin = rollout_state(session.state, self.rollout)
        state = origin if label == self.rollout else rollout_state(session.state, label)
        state.overrides, state.script = origin.overrides, origin.script
        register_rollout(session, state)
        await send_start(session, state, self.retry_when_busy)


@verb("resend_start", short="times", example=("2", "{times: 8, concurrent: true}", "{change: {max_turns: 3}}"))
@phrase("the trainer resends the start request")
@phrase("the trainer resends the start request with {change:member}")
@phrase("the trainer sends the same start request {times} times concurrently", concurrent=True)
@dataclass(frozen=True, slots=True)
class ResendStart:
    """Send the same start request again, a duplicate; the first time too, if it was not sent before."""

    times: int = 1
    "How many times."
    rollout: str = ""
    concurrent: bool = False
    "Whether all are sent at the same time, or each after the response to the one before ; in the sync dialect none is waited for."
    change: Annotated[Mapping[str, object], Written(start_members, {"type": "object"})] = field(default_factory=dict)
    "Members of the start request that differ from those of the first."

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        if state.given is None:
            register_rollout(session, state)
        sending = [send_start(session, state, True, self.change) for _ in range(self.times)]
        if self.concurrent:
            await asyncio.gather(*sending)
            return
        for one in sending:
            await one


@verb("start_with_authorization", short="value", example=("Bearer wrong", "'bearer {key}'", "{key_length: 6000}"))
@phrase("the trainer starts the rollout with the Authorization header {value}")
@phrase("the trainer starts the rollout without an Authorization header")
@dataclass(frozen=True, slots=True)
class StartWithAuthorization:
    """Start a rollout with this Authorization header in place of the right one, or without any."""

    value: str | None = None
    "The value of the header; `{key}` in it stands for the API key of the target. Without a value no such header is sent."
    key_length: int = 0
    "Send a bearer token with this many characters."
    rollout: str = ""
    raw: str | None = None
    "A text that is sent as the body in place of the start request."

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        register_rollout(session, state)
        if self.raw is not None:
            state.overrides = replace(state.overrides, raw=self.raw.encode())
        value = "Bearer " + "k" * self.key_length if self.key_length else self.value
        key = session.context.target_key or ""
        headers: Headers = () if value is None else (("authorization", value.replace("{key}", key)),)
        await send_start(session, state, True, headers=headers)
