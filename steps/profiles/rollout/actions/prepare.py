"""What is set up before a rollout is started: the script of the trainer, and how the start request differs from the ordinary one."""

from dataclasses import dataclass

from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, rollout_state
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides

FEW_TURNS = 10  # turns that a server makes in the time of any case
TURN_S = 0.13  # for each turn more; as a whole rollout is waited for six times as long, 0.8 s


@dataclass(frozen=True, slots=True)
class ScriptTrainer:
    """Append to the script of the trainer for a rollout."""

    script: Script
    rollout: str = ""

    @property
    def waits_s(self) -> float:
        """How long the trainer delays a response at most, and what a long rollout takes beyond the time of an ordinary one."""
        turns = len(self.script.lines)
        return max((line.delay_s for line in self.script.lines), default=0.0) + TURN_S * max(0, turns - FEW_TURNS)

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        state.script = Script(state.script.lines + self.script.lines, state.script.acks + self.script.acks)


@dataclass(frozen=True, slots=True)
class SetStartRequest:
    """Change the start request of a rollout."""

    overrides: StartOverrides
    rollout: str = ""

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        state.overrides = state.overrides.and_also(self.overrides)
