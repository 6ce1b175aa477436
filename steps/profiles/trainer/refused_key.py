"""A first generation request that is answered 401 or 403: which key it had, and what to write. Nothing can be judged behind it. Pure."""

from rollout_conformance.steps.engine.probe_result import answered
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.profiles.trainer.rollout_naming import KEY
from rollout_conformance.steps.profiles.trainer.rollout_source import Source
from rollout_conformance.steps.profiles.trainer.state import RolloutState

REFUSED = (401, 403)
GIVE_KEY = "give the key of the trainer with --target-key"
NO_KEY = {
    "control": "the start request has no `api_key` (`callback_api_key` in the dialect sync) that could be sent: the trainer has to issue one",
    "open": GIVE_KEY,
    "started": f"the start request has no key; {GIVE_KEY}, or let the trainer issue one for each rollout (`api_key`, `callback_api_key`)",
}
NOT_ANY_KEY = (
    "the card says `rollouts: open` and `rollout_id_in: key`, so that a new rollout id was the key. Where keys are issued, write "
    "`rollouts: started` or `control`"
)


def reason(exchange: Exchange, part: RolloutState, source: Source, place: str) -> str:
    """Why the key of a right first request is refused, empty where it is not, or where it is the one that the trainer issued."""
    if exchange.response is None or exchange.response.status not in REFUSED or _has_key(part):
        return ""
    told = f"the first generation request is answered {answered(exchange.response)}"
    if exchange.request.header("authorization") is None:
        return f"{told}. The suite had no key to send: {NO_KEY[source]}."
    if part.open and place == KEY:
        return f"{told}: {NOT_ANY_KEY}."
    return f"{told}: the key that was given with --target-key or on the card is refused."


def is_issued(exchange: Exchange, part: RolloutState) -> bool:
    """Whether the trainer refuses the key that it issued."""
    return exchange.response is not None and exchange.response.status in REFUSED and _has_key(part)


def _has_key(part: RolloutState) -> bool:
    return part.hosted is not None and part.hosted.key is not None
