"""The trainer's own record of a rollout: prefixes and masks."""

from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.profiles.trainer.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.trainer.state import CaseView, JsonObject, recorded


def records(view: CaseView) -> Iterator[Evidence]:
    """The trainer's own record: what it sampled is 1, everything else 0, and each prompt begins with the last turn of its branch."""
    for rollout in view.rollouts.values():
        record = view.record(rollout)
        if view.branched and not isinstance(record.get("branches"), list):
            continue  # its turns are of several conversations, and it does not show of which
        for line in recorded(record):
            turns = line.get("turns")
            if isinstance(turns, list) and turns and all(isinstance(turn, dict) for turn in turns):
                yield from _prefix(turns, line, rollout.records[-1])
                yield from _masked(turns, line, rollout.records[-1])


def _prefix(turns: list[Any], record: JsonObject, n: int) -> Iterator[Evidence]:
    for k in range(1, len(turns)):
        before = [*listed(turns[k - 1].get("prompt_token_ids")), *listed(turns[k - 1].get("token_ids"))]
        prompt = listed(turns[k].get("prompt_token_ids"))
        if prompt[: len(before)] == before:
            yield satisfied(189)
            continue
        at = next(
            (i for i, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b), min(len(before), len(prompt))
        )
        if record.get("drift"):
            yield satisfied(189)
        else:
            expected = (
                f"the prompt of turn {k + 1} begins with the {len(before)} tokens so far, or drift says where not"
            )
            yield broken(189, expected, f"another token at {at}, and drift: {show(record.get('drift'))}", n)


def _masked(turns: list[Any], record: JsonObject, n: int) -> Iterator[Evidence]:
    ids, mask, logprobs = (record.get(name) for name in ("token_ids", "response_mask", "logprobs"))
    if record.get("drift") or not all(isinstance(value, list) for value in (ids, mask, logprobs)):
        return
    assert isinstance(ids, list)
    assert isinstance(mask, list)
    assert isinstance(logprobs, list)
    counts = [(len(listed(turn.get("prompt_token_ids"))), len(listed(turn.get("token_ids")))) for turn in turns]
    right = [0] * sum(counts[-1])
    for start, sampled in counts:
        right[start : start + sampled] = [1] * sampled
    if not len(ids) == len(mask) == len(logprobs):
        yield broken(
            188, "token_ids, response_mask and logprobs of one length", f"{len(ids)}, {len(mask)}, {len(logprobs)}", n
        )
    elif mask != right:
        at = next((k for k, (a, b) in enumerate(zip(mask, right, strict=False)) if a != b), min(len(mask), len(right)))
        yield broken(
            188,
            f"{sum(right)} ones of {len(right)}, where the turns were sampled",
            f"{mask.count(1)} ones of {len(mask)}, the first difference at {at}",
            n,
        )
    elif any(value != 0 for value, one in zip(logprobs, mask, strict=True) if not one):
        yield broken(188, "logprob 0.0 where nothing was sampled", "another value", n)
    else:
        yield satisfied(188)
