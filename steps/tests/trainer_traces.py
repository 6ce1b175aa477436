"""Small traces of a trainer, for tests."""

import json
from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, RolloutState

Answered = tuple[int, Mapping[str, object], Mapping[str, object]]


def several(dialect: str, calls: Sequence[Answered], words: int = 0) -> CaseView:
    """One rollout with these generation requests: status, body of the response, members of the request."""
    trace, rollout = Trace(), RolloutState("")
    for status, body, members in calls:
        n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
        trace.close(n, Response(status, (), json.dumps(body).encode()))
        rollout.calls.append(Call(n, {"messages": [], **members}, not words, words=words))
    return CaseView(trace, dialect, {"": rollout}, tokens.load(TOKENIZER), None)
