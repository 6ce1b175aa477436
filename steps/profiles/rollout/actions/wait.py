"""What a case waits for, and the release of responses that the trainer holds."""

import asyncio
from dataclasses import dataclass

from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.context import (
    RolloutSession,
    RolloutState,
    rollout_state,
    rollout_states,
)
from rollout_conformance.steps.profiles.rollout.progress import count, has_ended, wait_until_ended


@verb("wait_for_end", short="rollout", example=("left", "all"))
@phrase("the rollout ends")
@phrase("all rollouts end", rollout="all")
@dataclass(frozen=True, slots=True)
class WaitForEnd:
    """Wait until rollouts have ended: the start request is answered (sync), or the completed callback and what follows it are acknowledged."""

    rollout: str = ""
    "The label of one, with its copies; without a label, or with `all`, every rollout of the case."

    async def perform(self, session: RolloutSession) -> None:
        states = [state for label, state in rollout_states(session.state).items() if self._means(label)]
        await asyncio.gather(*(wait_until_ended(session, state) for state in states if state.given is not None))

    def _means(self, label: str) -> bool:
        return self.rollout in ("", "all", label) or label.startswith(f"{self.rollout}#")


@verb("wait_for_callback", short="times", example=("2", "{rollout: left}"))
@phrase("the trainer has received {times} completed callback(s)")
@dataclass(frozen=True, slots=True)
class WaitForCallback:
    """Wait until a number of completed callbacks of a rollout has arrived, acknowledged or not (sync and leased: until there is a result)."""

    times: int = 1
    rollout: str = ""

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        if session.context.dialect in ("sync", "leased"):
            await wait_until_ended(session, state)
            return
        what = f"completion callback number {self.times}"
        await session.until(lambda: count(session, state, "CompletedSent") >= self.times, what)


@verb("wait_for_generation_request", short="nth", example=("1", "{nth: 2, rollout: left}"))
@phrase("generation request {nth} arrives")
@dataclass(frozen=True, slots=True)
class WaitForGenerationRequest:
    """Wait for the n-th generation request of a rollout."""

    nth: int
    "1 for the first; retries count."
    rollout: str = ""

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        what = f"generation call number {self.nth}"
        await session.until(lambda: self._has_arrived(session, state) or has_ended(session, state), what)
        if not self._has_arrived(session, state):
            raise WaitTimeout(what)

    def _has_arrived(self, session: RolloutSession, state: RolloutState) -> bool:
        return count(session, state, "GenerationRequested") >= self.nth


@verb("wait_for_silence", short="for_s", example="0.2")
@phrase("nothing happens for {for_s} s")
@dataclass(frozen=True, slots=True)
class WaitForSilence:
    """Wait until no request or response of the case was seen for a while: a server that retries has then given up."""

    for_s: float = 0.5
    "How long."

    @property
    def waits_s(self) -> float:
        return self.for_s

    async def perform(self, session: RolloutSession) -> None:
        await session.settle(self.for_s)


@verb("release", short="name", example="later")
@phrase("{name} is released")
@dataclass(frozen=True, slots=True)
class Release:
    """Let the trainer send every response that its script holds under this name."""

    name: str

    async def perform(self, session: RolloutSession) -> None:
        session.hold(self.name).set()
