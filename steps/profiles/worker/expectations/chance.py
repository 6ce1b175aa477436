"""Whether equal outputs prove anything: the log probabilities that the worker itself reports show where they were likely, or where the model
has seen other prompts all the same."""

from collections.abc import Sequence

from rollout_conformance.steps.http.chance import FALSE_POSITIVE_RATE, likelihood
from rollout_conformance.steps.profiles.worker.view import JobResponse

NOISE = 1e-4  # by which the same log probability may differ between two jobs in arithmetic of 32 bits
CERTAIN = 1e-2  # a log probability within this of 0 is that of a token without an alternative
Values = Sequence[float | None]


def explained(jobs: Sequence[JobResponse], tolerance: float) -> bool:
    """Whether jobs with equal outputs may have them lawfully. Where the worker shows no log probabilities, they may if they are a part of
    each prompt: a model that read a sentence a hundred times goes on with it after any beginning and any end.

    Samples of one prompt: the chance that all others are equal to the first, by its log probabilities. They are those of temperature 1
    or of the temperature that was asked for: a higher temperature makes a likely output less likely, so that more is excused, not less.
    Several prompts: other log probabilities show that the model has seen other prompts, and tokens without an alternative show nothing. Those
    that differ by less than the tolerance of the card show neither, so that they excuse as well: a small model may depend on its prompt by
    so little, and a prompt that is not read leaves no difference at all.
    """
    shown = [values for job in jobs if (values := job.transcript.logprobs)]
    if len(shown) < len(jobs):
        return all(map(_is_part_of_its_prompt, jobs))
    if len({(job.spec.prompt, job.spec.prompt_ids) for job in jobs}) == 1:
        return likelihood(shown[0], len(jobs) - 1) >= FALSE_POSITIVE_RATE
    return any(_differ(shown[0], values, min(tolerance, NOISE)) for values in shown[1:]) or _is_certain(shown[0])


def _is_part_of_its_prompt(job: JobResponse) -> bool:
    text, ids = job.transcript.text.strip(), job.transcript.ids
    return text in job.spec.prompt if text else bool(ids) and _listed(ids) in _listed(job.spec.prompt_ids)


def _listed(ids: Sequence[int] | None) -> str:
    return f",{','.join(map(str, ids or ()))},"


def _differ(one: Values, other: Values, tolerance: float) -> bool:
    pairs = ((a, b) for a, b in zip(one, other, strict=False) if a is not None and b is not None)
    return any(abs(a - b) > tolerance for a, b in pairs)


def _is_certain(values: Values) -> bool:
    return all(one is None or one > -CERTAIN for one in values)
