"""A request for the result that was not answered with the status of its rollout: why nothing further is known of that rollout. Pure."""

import re

from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.rollout.invariants.leased import not_polled_in_time
from rollout_conformance.steps.profiles.rollout.result_client import ENDED, RUNNING, is_valid
from rollout_conformance.steps.profiles.rollout.view import Answer, Rollout

POLLED = "ROLLOUT-276"
IN_JSON = "ROLLOUT-133"
NOT_JSON = re.compile(r"(?<=[:\[,])\s*(-?(?:NaN|Infinity))(?=\s*[,}\]])")
SHOWN = 200  # characters of a body


def invalid_poll(rollout: Rollout) -> Answer | None:
    """The response to a request for the result after which the suite sent no other, because it does not show how far the rollout is."""
    last = rollout.polls[-1] if rollout.polls else None
    response = last.exchange.response if last is not None else None
    return last if response is not None and not is_valid(response) else None


def not_answered_with_status(rollout: Rollout, poll: Answer) -> Cause:
    """Without its status no result can be waited for."""
    if why := not_polled_in_time(rollout):
        return Cause(why, since=poll.n, again=True)
    observed = f"{poll.status}: {body_text(poll)}"
    whole = poll.exchange.response.body.decode("utf-8", "replace") if poll.exchange.response else ""
    constants = NOT_JSON.findall(whole) if isinstance(poll.body, NotJson) else []
    if poll.status == 200 and constants:
        finding = Finding(IN_JSON, "finite numbers", f"the literal {constants[0]}", (poll.n,))
        return Cause("a result has a number that JSON does not have", finding, poll.n, certain=True)
    finding = Finding(POLLED, f"200 with a status: {', '.join((*RUNNING, *ENDED))}", observed, (poll.n,))
    return Cause("a request for the result was not answered with its status", finding, poll.n, certain=True)


def body_text(answer: Answer) -> str:
    response = answer.exchange.response
    return response.body[:SHOWN].decode("utf-8", "replace") if response else ""
