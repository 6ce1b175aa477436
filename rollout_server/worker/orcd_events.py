"""The stream of the dialect `orcd`: named events whose JSON has the same name as its `type`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Token

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class OrcdStream:
    """Writes the events of one job."""

    job: Job
    model: str
    with_logprobs: bool
    memory: int
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def opening(self) -> Iterator[bytes]:
        yield event(started(self))

    def event(self, happened: Event) -> Iterator[bytes]:
        if isinstance(happened, Token):
            yield event(token(self, happened))
        elif isinstance(happened, Ended):
            yield event(metrics(self, happened))
            yield event(end(happened))
        elif isinstance(happened, Failed):
            yield event(error(happened))


def event(body: dict[str, Any]) -> bytes:
    return b"event: " + str(body["type"]).encode() + b"\ndata: " + json_text.dumps(body) + b"\n\n"


def started(stream: OrcdStream) -> dict[str, Any]:
    return {
        "type": "started",
        "job_id": stream.job.id,
        "model": stream.model,
        "started_at": stream.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "seed": stream.job.sampling.seed,
    }


def token(stream: OrcdStream, token: Token) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "token", "t": token.text, "i": token.i, "id": token.scored.id}
    return body | ({"logprob": token.scored.logprob} if stream.with_logprobs else {})


def metrics(stream: OrcdStream, ended: Ended) -> dict[str, Any]:
    rate = ended.tokens_out / max(ended.seconds, 1e-6)
    return {"type": "metrics", "tokens_per_sec": round(rate, 3), "vram_bytes": stream.memory}


def end(ended: Ended) -> dict[str, Any]:
    body = {
        "type": "end",
        "tokens_out": ended.tokens_out,
        "decode_time_ms": round(ended.seconds * MILLISECONDS, 3),
        "stop_reason": ended.reason,
    }
    return body | ({"stop_sequence_matched": ended.matched} if ended.matched is not None else {})


def error(failed: Failed) -> dict[str, Any]:
    return {"type": "error", "code": failed.code, "message": failed.message, "retriable": failed.retriable}
