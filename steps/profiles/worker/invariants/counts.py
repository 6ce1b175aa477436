"""Counters: the final one, the numbers of ids and log probabilities, and the spans of weight versions."""

import math
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.profiles.worker.dialects.base import integer
from rollout_conformance.steps.profiles.worker.events import EOS, Usage
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

ABOVE_ZERO = 1e-3  # rounding of the log probability of a certain token


def counters(view: WorkerView) -> Iterator[Evidence]:
    for response in view.jobs:
        if (
            response.is_success
            and not response.left
            and len(response.transcript.terminals) == 1
            and not response.is_unreadable
            and response.spec.samples == 1
        ):
            yield from _final(response)
            if response.name not in view.cancelled:
                yield from _end_of_text(response)
            yield from _prompt(response)
            yield from _sums(response)
            yield from _columns(response)
            yield from _versions(response)


def _final(response: JobResponse) -> Iterator[Evidence]:
    """The counter is the number of ids where they are shown, and else at least the number of events with tokens."""
    transcript = response.transcript
    usage = next((one.tokens for one in transcript.events if isinstance(one, Usage)), ABSENT)
    counters = (transcript.end.tokens if transcript.end else ABSENT, usage)
    if response.ran_out and response.spec.shows and response.dialect.has_ids:
        is_there = any(one is not ABSENT and one is not None for one in counters)
        yield evidence("WORKER-131", is_there, "a counter of the generated tokens", "no counter", response.n)
    for counter in counters:
        if counter is ABSENT or counter is None:
            continue
        expected, ok = _expected(response, counter)
        yield evidence("WORKER-009", ok, expected, f"a final counter of {show(counter)}", response.n)


def _end_of_text(response: JobResponse) -> Iterator[Evidence]:
    """A job that ignores the end of the text does not end at it."""
    sent = [response.request, *(mapping(response.request.get(name)) for name in ("sampling_params", "parameters"))]
    is_ignored = any(one.get("ignore_eos") is True for one in sent) and not response.spec.stop_ids
    if is_ignored and response.ran_out and response.reason == EOS:
        observed = f"an end of the text after {show(response.transcript.count)} tokens"
        yield evidence("WORKER-012", False, "no end of the text, which the request ignores", observed, response.n)


def _prompt(response: JobResponse) -> Iterator[Evidence]:
    """The counter of the prompt, where the prompt was sent as token ids."""
    end, usage = response.transcript.end, next((o for o in response.transcript.events if isinstance(o, Usage)), None)
    by_ids = response.spec.prompt_ids and (response.spec.by_ids or response.dialect.only_ids)
    sent = len(response.spec.prompt_ids)
    for counter in (one.prompt_tokens for one in (end, usage) if one is not None):
        if by_ids and counter is not ABSENT and counter is not None:
            observed = f"a counter of {show(counter)}"
            yield evidence("WORKER-127", counter == sent, f"{sent}, the number of token ids", observed, response.n)


def _sums(response: JobResponse) -> Iterator[Evidence]:
    """Counters that have to agree with each other: no more is cached of a prompt than it has, and the total is the sum of both."""
    end, usage = response.transcript.end, next((o for o in response.transcript.events if isinstance(o, Usage)), None)
    cached, counted = (integer(one) for one in (end.cached_tokens, end.prompt_tokens)) if end else (None, None)
    if cached is not None and counted is not None:
        observed = f"{cached} cached tokens"
        yield evidence("WORKER-127", cached <= counted, f"at most {counted}, those of the prompt", observed, response.n)
    parts = [integer(one) for one in (usage.prompt_tokens, usage.tokens, usage.total_tokens)] if usage else [None]
    if usage is not None and None not in parts:
        both = (parts[0] or 0) + (parts[1] or 0)
        observed = f"a total of {show(usage.total_tokens)}"
        yield evidence("WORKER-127", usage.total_tokens == both, f"{both}, the sum of both", observed, response.n)


def _expected(response: JobResponse, counter: object) -> tuple[str, bool]:
    transcript, limit = response.transcript, response.spec.max_tokens
    found = integer(counter)
    if limit is not None and (found is None or not response.may_have(found, limit)):
        return f"a counter of at most {limit}, the limit of the job", False
    if response.dialect.has_ids and transcript.ids is not None:
        allowed = {len(transcript.ids)} | ({len(transcript.ids) + 1} if response.reason == EOS else set())
        return f"{len(transcript.ids)}, the number of token ids", found in allowed
    least = len(transcript.tokens)
    return f"at least {least}, the number of events with tokens", found is not None and found >= least


def _columns(response: JobResponse) -> Iterator[Evidence]:
    """As many log probabilities as ids, finite and at most 0."""
    transcript = response.transcript
    values, ids = transcript.logprobs, transcript.ids
    if values is None:
        return
    if ids is not None:
        observed = f"{len(ids)} token ids and {len(values)} log probabilities"
        yield evidence(
            "WORKER-102", len(values) == len(ids), "one log probability for each token id", observed, response.n
        )
    odd = next((n for n, one in enumerate(values) if one is None or not math.isfinite(one) or one > ABOVE_ZERO), None)
    observed = "" if odd is None else f"token {odd}: {values[odd]!r}"
    yield evidence("WORKER-102", odd is None, "finite log probabilities of at most 0", observed, response.n)


def _versions(response: JobResponse) -> Iterator[Evidence]:
    end, ids = response.transcript.end, response.transcript.ids
    if (
        end is None
        or ids is None
        or not isinstance(end.weight_versions, list)
        or response.dialect.name != "vllm-generate"
    ):
        return
    spans = [one for one in end.weight_versions if isinstance(one, Mapping)]
    if not all(type(one.get(name)) is int for one in spans for name in ("start", "end")):
        return
    bounds = sorted((int(one["start"]), int(one["end"])) for one in spans)
    at = 0
    for start, stop in bounds:
        at = stop if start == at else -1
    yield evidence(
        "WORKER-116", at == len(ids), f"spans that cover 0 to {len(ids)} once", show(end.weight_versions), response.n
    )
