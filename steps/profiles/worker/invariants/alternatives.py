"""The alternatives of a token: as many as were requested, and of one distribution with the token."""

import math
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

ALL_OF_IT = 1.02  # the most that probabilities add up to, with what rounding adds
ROUNDING = 0.02
UNCHANGED = (
    0.0,
    1.0,
)  # temperatures at which a worker that shows what it samples from shows the model's own distribution
CHANGING = frozenset(  # members of a request that change the distribution which is sampled from
    {
        *(
            "top_k",
            "top_p",
            "min_p",
            "typical_p",
            "logit_bias",
            "grammar",
            "json_schema",
            "regex",
            "ebnf",
            "min_tokens",
            "min_new_tokens",
        ),
        *("repetition_penalty", "repeat_penalty", "frequency_penalty", "presence_penalty"),
    }
)
EXACT = ("sglang", "llamacpp")  # the others document more: equally likely tokens, or the sampled one
EXPECTED = "log probabilities of one distribution"


def alternatives(view: WorkerView) -> Iterator[Evidence]:
    """Where a job is sampled from the model's own distribution: some workers show alternatives before, and tokens after sampling parameters."""
    for response in view.jobs:
        if response.is_success and not response.is_unreadable and _is_plain(response):
            yield from _judged(response)


def requested_alternatives(view: WorkerView) -> Iterator[Evidence]:
    """Each token of a job that requests alternatives has as many."""
    for response in view.jobs:
        wanted, ids = response.spec.alternatives, response.transcript.ids
        if not (wanted and ids and response.ran_out) or response.is_unreadable:
            continue
        most = wanted if response.dialect.name in EXACT else len(ids) + math.inf
        counts = [len(top) for top in response.transcript.alternatives or ()]
        n = next((n for n, count in enumerate(counts) if not wanted <= count <= most), None)
        ok, observed = bool(counts) and n is None, "no alternatives" if n is None else f"token {n}: {counts[n]}"
        yield evidence("WORKER-128", ok, f"{wanted} alternatives of each token", observed, response.n)


def _is_plain(response: JobResponse) -> bool:
    sent = (response.request, *(mapping(response.request.get(name)) for name in ("sampling_params", "parameters")))
    return response.spec.temperature in UNCHANGED and not any(CHANGING & set(one) for one in sent)


def _judged(response: JobResponse) -> Iterator[Evidence]:
    shown = response.transcript
    ids, values, tops = shown.ids, shown.logprobs, shown.alternatives
    if not ids or not values or not tops or not any(tops) or not len(ids) == len(values) == len(tops):
        return
    found = (_odd(id, value, top) for id, value, top in zip(ids, values, tops, strict=True))
    n, odd = next(((n, one) for n, one in enumerate(found) if one), (0, ""))
    yield evidence("WORKER-124", not odd, EXPECTED, f"token {n}: {odd}", response.n)


def _odd(id: int, value: float | None, top: Mapping[int, float]) -> str:
    """Why these cannot be log probabilities of one distribution; empty where they can."""
    if value is None or not top:
        return ""
    own = f"{id} has {value:.4g}"
    if id in top:
        return f"{own}, and {top[id]:.4g} among the alternatives" if abs(top[id] - value) > ROUNDING else ""
    least = min(top.values())
    if value > least + ROUNDING:
        return f"{own}, and is none of the alternatives, whose least likely one has {least:.4g}"
    whole = sum(math.exp(min(one, 1.0)) for one in (value, *top.values()))
    return f"the probabilities of {id} and of {show([*top])} add up to {whole:.3f}" if whole > ALL_OF_IT else ""
