"""Streams of a worker, in each dialect."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker import view as worker
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.tests import streams
from rollout_conformance.steps.sse.streams import Chunk
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.values import EVENTS, SIGNS, View, nested


def of_worker(dialect: str, data: list[Any], status: int = 200, **spec: Any) -> worker.WorkerView:
    """A job whose stream has these events, or which is rejected with the first of them."""
    known, job = DIALECTS[dialect], JobSpec("job-1", "Hello!", **spec)
    chunks = tuple(Chunk(n / 1000, one) for n, one in enumerate(data)) if status == 200 else ()
    raw = streams.sent(*data) if status == 200 else json.dumps(data[0]).encode()
    asked_for, trace = known.body(job), Trace()
    n = trace.open(Request("POST", known.path, (), json.dumps(asked_for).encode()), to_target=True)
    headers = EVENTS if status == 200 else ()
    trace.close(n, Response(status, headers, raw))
    response = worker.JobResponse(
        "job",
        n,
        asked_for,
        status,
        parse(raw) if status != 200 else None,
        chunks,
        raw=raw,
        headers=headers,
        elapsed_s=1.0,
        spec=job,
        dialect=known,
        transcript=known.read(chunks, "delta") if status == 200 else Transcript(),
    )
    context = WorkerContext(
        WorkerCard(keys={"other": "the-key-of-another"}, framing="delta"), "the-key-of-the-suite", dialect=known
    )
    return worker.WorkerView(trace, Responses.of([response]), context, worker=context)


STARTED = {"type": "started", "job_id": "job-1", "model": "m", "started_at": "2026-01-01T00:00:00Z", "seed": 5}


def streamed_texts(dialect: str, texts: list[str]) -> list[Any]:
    """A job of one event for each text, as the dialect writes it."""
    count, whole = len(texts), "".join(texts)
    if dialect == "orcd":
        ended = {"type": "end", "tokens_out": count, "stop_reason": "max_tokens", "decode_time_ms": 1.0}
        return [STARTED, *({"type": "token", "t": text, "i": n} for n, text in enumerate(texts)), ended]
    if dialect == "vllm-generate":
        said = [streams.vllm([5], text=text) for text in texts]
        return [*said, streams.vllm([], "length"), streams.vllm_usage(count), "[DONE]"]
    if dialect == "sglang":
        ended = {"type": "length", "length": count}
        said = [streams.sglang(text, [5]) for text in texts]
        for n, one in enumerate(said):
            one["meta_info"] |= {"completion_tokens": n + 1, "finish_reason": ended if n + 1 == count else None}
        return [*said, "[DONE]"]
    if dialect == "tgi":
        return [
            *(streams.tgi(5, text) for text in texts[:-1]),
            streams.tgi(count, texts[-1], whole=whole, reason="length"),
        ]
    return [*(streams.llamacpp(text, [5]) for text in texts), streams.llamacpp_end(count, "limit")]


def a_worker_text(dialect: str, sign: str, size: int) -> worker.WorkerView:
    return of_worker(dialect, streamed_texts(dialect, ["Well. ", growth.run(sign, size)]))


def many_worker_tokens(dialect: str, size: int) -> worker.WorkerView:
    return of_worker(dialect, streamed_texts(dialect, ["ab"] * (size // 10)))


def a_rejected_job(sign: str, size: int) -> worker.WorkerView:
    return of_worker("orcd", [{"error": {"message": growth.run(sign, size)}}], 400)


def a_failed_job(sign: str, size: int) -> worker.WorkerView:
    failure = {"type": "error", "code": "X", "message": growth.run(sign, size), "retriable": False}
    return of_worker("orcd", [STARTED, failure])


def an_odd_end(sign: str, size: int) -> worker.WorkerView:
    said = growth.run(sign, size)
    ended = {"type": "end", "tokens_out": 0, "stop_reason": said, "stop_sequence_matched": said}
    return of_worker("orcd", [{**STARTED, "job_id": said, "model": said, "started_at": said}, ended], stop=(said, "b"))


def of_kind(kind: str, size: int) -> worker.WorkerView:
    return of_worker("orcd", [STARTED, *([{"type": kind}] * (size // 20))])


def worker_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"a rejection of {sign}", partial(a_rejected_job, sign)
        yield f"a failure of {sign}", partial(a_failed_job, sign)
        yield f"an end of {sign}", partial(an_odd_end, sign)
    for dialect in DIALECTS:
        for sign in SIGNS if dialect == "orcd" else SIGNS[:3]:
            yield f"{dialect}: a text of {sign}", partial(a_worker_text, dialect, sign)
        yield f"{dialect}: broken characters", partial(a_worker_text, dialect, "\ufffd")
        yield f"{dialect}: many tokens", partial(many_worker_tokens, dialect)
    for kind in ("token", "metrics", "started", "end", "error", "other"):
        yield f"many events {kind}", partial(of_kind, kind)
    yield "nested", lambda size: of_worker("orcd", [{**STARTED, "job_id": nested(150)}] * (size // 10_000))
    spans = [{"start": 0, "end": 1}]
    yield (
        "many spans",
        lambda size: of_worker("vllm-generate", [streams.vllm([5], "length", weight_versions=spans * (size // 20))]),
    )
