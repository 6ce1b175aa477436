"""The text of the end-of-turn token, which belongs to the token ids and not to the message."""

import json
from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.peers.end_of_turn_texts import are_requested, left_in
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.view import CaseView

EXPECTED = "a message without the text of the end-of-turn token"
ENDED = ("stop", "tool_calls")


def end_of_turn(view: CaseView) -> Iterator[Evidence]:
    """No content and no reasoning of a choice that has ended by itself ends with the text of such a token."""
    for response in completions(view):
        if are_requested(response.request):
            continue
        sent = json.dumps(response.request, ensure_ascii=False, default=str)
        for choice in response.choices:
            if choice.finish not in ENDED:
                continue
            found = [one for one in (choice.content, choice.reasoning) if left_in(one, sent)]
            yield (
                broken(70, EXPECTED, f"a text that ends with {show(found[0][-60:])}", response.n)
                if found
                else satisfied(70)
            )
