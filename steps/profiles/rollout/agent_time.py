"""The time that a start request gives its agent (`agent_timeout_sec`), and rollouts that go beyond it. Pure."""

from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

OUT_OF_TIME = "ROLLOUT-228"


def _budget(rollout: Rollout) -> float | None:
    """The time that the start request gave the agent, in seconds."""
    budget = rollout.given.body.get("agent_timeout_sec")
    return budget if isinstance(budget, int | float) and not isinstance(budget, bool) else None


def is_overdue(rollout: Rollout) -> bool:
    """Whether the time of the agent is over. One that has not begun may be waiting for a slot, which is judged as that."""
    budget = _budget(rollout)
    return budget is not None and (budget <= 0 or bool(rollout.chats))


def not_ended_in_time(view: CaseView, rollout: Rollout) -> Cause:
    """The case waited for longer than the agent had: whatever the rollout was waiting for, it had to end."""
    expected = f"the end of the rollout {max(0.0, _budget(rollout) or 0.0):g} s after its start request"
    observed = f"no end within {view.patience_s:g} s of silence"
    last = max([start.n for start in rollout.starts] + [chat.n for chat in rollout.chats])
    finding = Finding(OUT_OF_TIME, expected, observed, (rollout.starts[0].n, last), timing=True)
    return Cause("a rollout did not end when the time of its agent was over", finding, last + 1, certain=True)


def is_out_of_time(view: CaseView, rollout: Rollout) -> bool:
    """Whether the time that the start request gave had passed, in a queue perhaps, before the first generation that the case waited for."""
    return bool(view.wait_timeouts) and not rollout.chats and (_budget(rollout) or 0.0) > 0
