"""The order of what a trainer does, by the lifecycle table of the dialect."""

from collections.abc import Iterator

from rollout_conformance.contracts.lifecycle import OutOfOrder, advance
from rollout_conformance.contracts.trainer.lifecycle import BREACHES, IDLE, READY, STARTED, TABLES
from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.profiles.trainer.invariants.evidence import satisfied
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState


def order(view: CaseView) -> Iterator[Evidence]:
    """The trainer's own moves, by the lifecycle table. What the suite does wrong on purpose is no disorder of the trainer."""
    for rollout in view.rollouts.values():
        table = TABLES[view.dialect]
        state = _initial_state(view, rollout)
        for event in view.trace.of(rollout.label):
            after = advance(table, state, event.role, event.name)
            if isinstance(after, str):
                state = after
            elif event.role == "trainer" and isinstance(after, OutOfOrder) and (after.state, event.name) in BREACHES:
                allowed = ", ".join(after.legal) or "nothing"
                yield Finding(
                    BREACHES[after.state, event.name],
                    f"in state {after.state}: {allowed}",
                    event.name,
                    (event.exchange,),
                    after.state,
                )
        names = [event.name for event in view.trace.of(rollout.label)]
        if view.dialect == "sync" and "ToolsRequested" in names and "StartSent" in names:
            yield satisfied(196)


def _initial_state(view: CaseView, rollout: RolloutState) -> str:
    """A trainer requests the tools of a server once: for one that it knows, or that it found by itself, it may have done so before."""
    if view.source == "open":
        return STARTED
    return READY if view.dialect == "sync" and (rollout.same_server_as or view.source == "started") else IDLE
