"""Right variants: the reference worker with a freedom that every worker has, so that the suite can be seen to accept it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Patch, after, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import Body, body, without, writing
from rollout_conformance.rollout_server.worker import errors, orcd_events, orcd_requests, vllm_generate
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Token
from rollout_conformance.rollout_server.worker.native import new_id
from rollout_conformance.rollout_server.worker.orcd_events import OrcdStream
from rollout_conformance.rollout_server.worker.scheduler import Scheduler
from rollout_conformance.rollout_server.worker.vllm_generate import VllmWriter

BUSY = 429


def _cancelled_as_end(original: Any, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code == "CANCELLED":
        body = {"type": "end", "tokens_out": happened.tokens_out, "decode_time_ms": 1.0, "stop_reason": "cancelled"}
        yield orcd_events.event(body)
    else:
        yield from original(self, happened)


def _without_metrics(original: Any, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    yield from [one for one in original(self, happened) if not one.startswith(b"event: metrics")]


def _independent(original: Any, self: Scheduler, job: Job) -> Any:
    return original(self, replace(job, id=new_id()) if job.id in self.by_id else job)


def _limit_first(original: Any, self: Generation, id: int) -> Any:
    """At the limit, a stop text that ends there does not count."""
    reason = original(self, id)
    if reason == "stop_sequence" and self.tokens_out >= self.job.max_tokens:
        self._text.matched = None
        return "max_tokens"
    return reason


def _pinged(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    yield b": ping\n\n"
    yield from original(self, happened)


def _in_pairs(original: Any, self: VllmWriter, happened: Event) -> Iterator[bytes]:
    """Two tokens a chunk."""
    held = PAIRS.pop(id(self), [])
    if isinstance(happened, Token):
        held = [*held, happened]
        if happened.end is None and len(held) == 1:
            PAIRS[id(self)] = held
            return
        self.tokens += len(held)
        yield vllm_generate.chunk(self, vllm_generate.choice(self, held, happened.end))
        return
    if held:
        self.tokens += len(held)
        yield vllm_generate.chunk(self, vllm_generate.choice(self, held, None))
    yield from original(self, happened)


PAIRS: dict[int, list[Token]] = {}


def _seed_last(original: Any, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    """The seed is reported in `end`."""
    if not isinstance(happened, Ended):
        yield from original(self, happened)
        return
    yield orcd_events.event(orcd_events.metrics(self, happened))
    yield orcd_events.event({**orcd_events.end(happened), "seed": self.job.sampling.seed})


def _keeping(original: Any, *args: Any) -> Job:
    job: Job = original(*args)
    return replace(job, keep_stop=True)


def _busy(original: Any) -> JobError:
    return JobError(BUSY, "QUEUE_FULL", "Too many jobs")


def _extra(body: Body) -> Body:
    return {**body, "x_trace": {"worker": 1}}


def _by_texts(body: Body) -> Body:
    """As vLLM shows log probabilities where its output is text: tokens by their texts, alternatives included."""
    return {"content": [_named(one) | {"top_logprobs": [*map(_named, one["top_logprobs"])]} for one in body["content"]]}


def _named(scored: Body) -> Body:
    return {"token": f"<{scored['token_id']}>", "logprob": scored["logprob"]}


VARIANTS: Mapping[str, Patch] = {
    "cancelled_as_end": around(OrcdStream, "event", _cancelled_as_end),
    "without_metrics": around(OrcdStream, "event", _without_metrics),
    "duplicates_independent": around(Scheduler, "submit", _independent),
    "limit_before_stop": around(Generation, "_reason", _limit_first),
    "pings": writing(_pinged),
    "stop_kept": around(orcd_requests, "job", _keeping),
    "seed_in_end": every(body("started", without("seed")), around(OrcdStream, "event", _seed_last)),
    "matched_null": after(orcd_events, "end", lambda end: {"stop_sequence_matched": None} | end),
    "tokens_without_ids": body("token", without("id")),
    "extra_members": every(body("started", _extra), body("token", _extra), body("end", _extra)),
    "queue_full_429": around(errors, "queue_full", _busy),
    "two_tokens_a_chunk": around(VllmWriter, "event", _in_pairs),
    "alternatives_by_texts": after(vllm_generate, "logprobs", _by_texts),
    "versions_absent": put(vllm_generate, "weight_versions", lambda tokens: None),
    "top_k_unbounded": around(
        orcd_requests,
        "beyond_model",
        lambda original, *args: [one for one in original(*args) if one["field"] != "top_k"],
    ),
}
