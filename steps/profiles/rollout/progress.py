"""How far a rollout of a running case is: what has arrived, and whether it has ended."""

from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.peers.trainer import scripted
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, RolloutState

RESEND_S = 2.0  # how long a completed callback is waited for that may be sent again, or not


def count(session: RolloutSession, state: RolloutState, event: str) -> int:
    """How many events of this name the trace of a rollout has."""
    return len(session.trace.by_name.get((state.label, event), ()))


def has_ended(session: RolloutSession, state: RolloutState) -> bool:
    """Whether nothing else can follow: the rollout was rejected, or its result has been delivered."""
    if session.context.dialect == "sync":
        return bool(state.sending) and all(task.done() for task in state.sending)
    return _is_delivered(session, state)


async def wait_until_ended(session: RolloutSession, state: RolloutState) -> None:
    """Raises `WaitTimeout` when the rollout does not end."""
    if session.context.dialect == "sync":
        pending = [task for task in state.sending if not task.done()]
        if pending:
            await session.until(lambda: all(task.done() for task in pending), "the answer to POST /rollout")
        return
    routed = session.context.dialect == "routed"
    what = "an acknowledged completion" if routed else "an acknowledged POST /v1/rollout/completed"
    what = "the result" if session.context.dialect == "leased" else what
    with session.context.ends.awaited(session):
        await session.until(lambda: _is_over(session, state), what)
        if state.unpolled and not _is_delivered(session, state):
            raise WaitTimeout(what)
    if not _is_delivered(session, state):
        await session.settle(RESEND_S)


def _is_over(session: RolloutSession, state: RolloutState) -> bool:
    """Whether nothing else need be waited for."""
    return _is_delivered(session, state) or _has_truncated_ack(session, state) or state.unpolled


def _has_truncated_ack(session: RolloutSession, state: RolloutState) -> bool:
    """Whether the response to a completed callback was truncated after its status: a server may take that for the acknowledgement, or send
    the callback again."""
    unacked = session.trace.by_name.get((state.label, "CompletedUnacknowledged"), ())
    return any(session.trace.exchanges[event.exchange].fault == scripted("cut") for event in unacked)


def _is_delivered(session: RolloutSession, state: RolloutState) -> bool:
    if count(session, state, "ResultReturned"):
        return True
    if count(session, state, "GradedAcknowledged"):  # after the completion, acknowledged or given up
        return True
    if count(session, state, "CompletedAcknowledged"):
        return session.context.dialect != "routed" or not _owes_graded_sample(session, state)
    return bool(count(session, state, "StartRejected")) and not count(session, state, "StartAccepted")


def _owes_graded_sample(session: RolloutSession, state: RolloutState) -> bool:
    """Whether a graded sample follows the completion: the start request names a URL for it, and the rollout succeeded."""
    assert state.given is not None
    if not state.given.body.get("grader_callback_url"):
        return False
    callbacks = session.trace.by_name.get((state.label, "CompletedSent"))
    if not callbacks:
        return False
    known: dict[int, bool] = session.state.setdefault("succeeded", {})  # this is looked at after each event
    n = callbacks[0].exchange
    if n not in known:
        body = parse(session.trace.exchanges[n].request.body)
        known[n] = isinstance(body, dict) and body.get("status") == "success"
    return known[n]
