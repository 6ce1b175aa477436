"""Whether the logprobs of a rollout are those of its sampled tokens, and no placeholders. Pure functions of the trace."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied, evidence
from rollout_conformance.steps.engine.lenient_json import listed, mappings
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState

REAL = "TRAINER-306"
TOLERANCE = 1e-3  # what is left of a number that was rounded on its way
FEWEST = 16  # tokens; a short text may be certain
Numbers = Sequence[int | float]


def logprobs(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        record = {} if view.branched else view.record(rollout)  # the branches of a record are in no order
        shown = _of_replies(view, rollout) if view.shows_tokens else None
        turns, recorded = _of_turns(record), _of_record(record)
        at = tuple(rollout.records[-1:]) or tuple(call.n for call in rollout.calls[:1])
        impossible = [list(_impossible(values, at)) for values in (shown, turns, recorded)]
        if any(impossible):
            yield from next(found for found in impossible if found)
            continue
        for values in (shown, turns):
            if values and recorded is not None:
                yield from _compared(values, recorded, rollout.records[-1])
        values = shown if shown is not None else recorded
        if values and len(values) >= FEWEST and _at_temperature_one(rollout):
            yield from _not_zero(values, rollout)


def _of_replies(view: CaseView, rollout: RolloutState) -> Numbers | None:
    """The logprobs of all generations, None where one of them has none."""
    values: list[float] = []
    for _, body in view.replies(rollout):
        logprobs = body.get("logprobs")
        if not _are_numbers(logprobs):
            return None
        values += logprobs
    return values


def _of_turns(record: Mapping[str, object]) -> Numbers | None:
    """The logprobs that the record has in its turns."""
    values = [value for turn in mappings(record.get("turns")) for value in listed(turn.get("logprobs"))]
    return values if _are_numbers(values) else None


def _impossible(values: Numbers | None, at: tuple[int, ...]) -> Iterator[Evidence]:
    """The logarithm of a probability is a number, and not above 0."""
    wrong = next((value for value in values or () if not value <= TOLERANCE), None)
    if wrong is not None:
        yield Finding(REAL, "logprobs that are numbers of at most 0", f"{wrong:g}", at)


def _of_record(record: Mapping[str, object]) -> Numbers | None:
    """The logprobs of the record where its turns were sampled, whatever its mask is; None where that cannot be read off."""
    values, turns = record.get("logprobs"), mappings(record.get("turns"))
    places = [_sampled(turn) for turn in turns]
    if record.get("drift") or not _are_numbers(values) or not places or len(values) != places[-1][1]:
        return None
    return [value for begin, end in places for value in values[begin:end]]


def _sampled(turn: Mapping[str, object]) -> tuple[int, int]:
    """Where the sampled tokens of a turn begin and end."""
    begin = len(listed(turn.get("prompt_token_ids")))
    return begin, begin + len(listed(turn.get("token_ids")))


def _are_numbers(values: object) -> TypeGuard[Numbers]:
    return isinstance(values, list) and all(isinstance(value, int | float) for value in values)


def _compared(shown: Numbers, recorded: Numbers, n: int) -> Iterator[Evidence]:
    if len(shown) != len(recorded):
        return  # that is for the mask to explain
    pairs = enumerate(zip(recorded, shown, strict=True))
    different = next(((at, one, two) for at, (one, two) in pairs if abs(one - two) > TOLERANCE), None)
    if different is None:
        yield Satisfied(REAL)
        return
    at, one, two = different
    expected = f"the logprob of the record for sampled token {at}: {one:g}"
    yield Finding(REAL, expected, f"{two:g} where the token was sampled", (n,))


def _at_temperature_one(rollout: RolloutState) -> bool:
    return all(call.body.get("temperature") == 1 for call in rollout.calls if call.right)


def _not_zero(values: Numbers, rollout: RolloutState) -> Iterator[Evidence]:
    ok, observed = any(value != 0 for value in values), f"0.0 for each of {len(values)} tokens"
    first = (call.n for call in rollout.calls[:1])
    yield evidence(REAL, ok, "logprobs of sampled tokens, at temperature 1", observed, *first)
