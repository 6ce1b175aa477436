"""The key that the rollout server sends with its requests."""

from typing import Literal

from rollout_conformance.steps.engine.trace import Headers
from rollout_conformance.steps.profiles.trainer.rollout_naming import KEY
from rollout_conformance.steps.profiles.trainer.state import RolloutState, TrainerSession

Key = Literal["own", "none", "wrong", "non_ascii"]


def key_headers(session: TrainerSession, owner: RolloutState, which: Key, another_id: str = "") -> Headers:
    """The header with the key that the trainer issued for a rollout, or what is sent instead of it. Where rollouts need no control request,
    the key of the run stands in for one that was not issued. Where the key names the rollout, `another_id` is the key of another one."""
    issued = _issued(session, owner)
    if another_id and session.context.place == KEY:
        issued = another_id
    if which == "none" or (which == "own" and issued is None):
        return ()
    value = {"wrong": f"{issued}x", "non_ascii": "schl\u00fcssel"}.get(which, issued)
    return (("authorization", f"Bearer {value}"),)


def _issued(session: TrainerSession, owner: RolloutState) -> str | None:
    if owner.hosted is not None and owner.hosted.key is not None:
        return owner.hosted.key
    if owner.open and session.context.place == KEY:
        return owner.rollout_id
    return session.context.target_key if session.context.source != "control" else None
