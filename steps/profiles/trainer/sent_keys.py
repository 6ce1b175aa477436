"""The key that the rollout server sends with its requests."""

from typing import Literal

from rollout_conformance.steps.engine.trace import Headers
from rollout_conformance.steps.profiles.trainer.state import RolloutState, TrainerSession

Key = Literal["own", "none", "wrong", "non_ascii"]


def key_headers(session: TrainerSession, owner: RolloutState, which: Key) -> Headers:
    """The header with the key that the trainer issued for a rollout, or what is sent instead of it. Where rollouts need no control request,
    the key of the run stands in for one that was not issued."""
    issued = owner.hosted.key if owner.hosted else None
    if issued is None and session.context.source != "control":
        issued = session.context.target_key
    if which == "none" or (which == "own" and issued is None):
        return ()
    value = {"wrong": f"{issued}x", "non_ascii": "schl\u00fcssel"}.get(which, issued)
    return (("authorization", f"Bearer {value}"),)
