"""Streams of inference servers, written from their documented framing, as the readers of the dialects take them."""

import json
from typing import Any

from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse
from rollout_conformance.steps.sse.parser import Parser
from rollout_conformance.steps.sse.streams import Chunk, event_data

STREAM = (("content-type", "text/event-stream"),)


def sent(*events: Any, space: bool = True) -> bytes:
    """Events as a server writes them: each a JSON object, or a text as it is."""
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in events]
    return "".join(f"data:{' ' if space else ''}{text}\n\n" for text in texts).encode()


def response(dialect: str, raw: bytes, **spec: Any) -> JobResponse:
    """A response with this body to a job, as the checks read it."""
    known = DIALECTS[dialect]
    chunks = tuple(Chunk(0.1 * n, event_data(one.data), one.event) for n, one in enumerate(Parser().feed(raw)))
    transcript = known.read(chunks, known.framing)
    job = JobSpec(**{"id": "job-1", "prompt": "Hello!", "max_tokens": 4, **spec})
    return JobResponse(
        "job",
        0,
        known.body(job),
        200,
        None,
        chunks,
        raw=raw,
        headers=STREAM,
        spec=job,
        dialect=known,
        transcript=transcript,
    )


def read(dialect: str, *events: Any) -> Transcript:
    return response(dialect, sent(*events)).transcript


def sglang(text: str, ids: list[int], reason: Any = None, **more: Any) -> dict[str, Any]:
    """One event of SGLang: all that was generated so far."""
    meta = {
        "id": "job-1",
        "finish_reason": reason,
        "prompt_tokens": 3,
        "completion_tokens": len(ids),
        "cached_tokens": 0,
    }
    logprobs = [[-0.5 * n, one, None] for n, one in enumerate(ids)]
    return {"text": text, "output_ids": ids, "meta_info": {**meta, "output_token_logprobs": logprobs}, **more}


def tgi(id: int, text: str, special: bool = False, whole: str | None = None, reason: str = "") -> dict[str, Any]:
    """One event of TGI: one token, the last with the whole text."""
    details = {"finish_reason": reason, "generated_tokens": id, "seed": 5} if reason else None
    token = {"id": id, "text": text, "logprob": -0.25, "special": special}
    return {"index": id, "token": token, "generated_text": whole, "details": details}


def llamacpp(text: str, ids: list[int], **more: Any) -> dict[str, Any]:
    """One event of llama.cpp: what is new."""
    return {"index": 0, "content": text, "tokens": ids, "stop": False, "id_slot": 0, "tokens_predicted": 1, **more}


def llamacpp_end(predicted: int, kind: str, word: str = "") -> dict[str, Any]:
    members = {
        "stop": True,
        "stop_type": kind,
        "stopping_word": word,
        "tokens_predicted": predicted,
        "tokens_evaluated": 3,
    }
    return {"index": 0, "content": "", "tokens": [], **members, "timings": {"predicted_ms": 3.5}}


def vllm(ids: list[int], reason: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of vLLM: what is new."""
    logprobs = {"content": [{"token_id": one, "logprob": -0.5, "rank": 1} for one in ids]}
    choice = {"index": 0, "token_ids": ids, "finish_reason": reason, "logprobs": logprobs, **more}
    return {"request_id": "job-1", "usage": None, "output_mode": "tokens", "choices": [choice]}


def vllm_usage(tokens: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": 3 + tokens}
    return {"request_id": "job-1", "usage": usage, "choices": []}
