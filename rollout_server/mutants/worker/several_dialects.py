"""Defects of the native dialects that several of them have in their own words."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import after, around
from rollout_conformance.rollout_server.mutants.worker.patches import LLAMA, SGLANG, TGI, VLLM, Body, mutant
from rollout_conformance.rollout_server.worker import llamacpp, native, native_endpoints, sglang, tgi, vllm_generate
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Token
from rollout_conformance.rollout_server.worker.llamacpp import LlamaWriter
from rollout_conformance.rollout_server.worker.sglang import SglangWriter
from rollout_conformance.rollout_server.worker.tgi import TgiWriter
from rollout_conformance.rollout_server.worker.vllm_generate import VllmWriter

NATIVE = (*VLLM, *SGLANG, *TGI, *LLAMA)
INVALID, NOT_FOUND = (400, 422), 404
SHOWN: dict[int, str] = {}


def _data_cut(original: Any, self: VllmWriter, happened: Event) -> Iterator[bytes]:
    for one in original(self, happened):
        yield one.replace(b"}\n\n", b"\n\n") if isinstance(happened, Token) and happened.i == 1 else one


def _as_end(happened: Failed) -> Ended:
    return Ended("max_tokens", happened.tokens_out, 0.001)


def _vllm_end(original: Any, self: VllmWriter, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code != "CANCELLED":
        yield vllm_generate.chunk(self, vllm_generate.choice(self, [], _as_end(happened)))
        yield from vllm_generate.last(self)
    else:
        yield from original(self, happened)


def _sglang_end(original: Any, self: SglangWriter, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code != "CANCELLED":
        yield sse.event(sglang.body(self, self.result, sglang.finish_reason(_as_end(happened), self.job)))
        yield sse.DONE_EVENT
    else:
        yield from original(self, happened)


def _tgi_end(original: Any, self: TgiWriter, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed):
        details = tgi.details(self, _as_end(happened))
        yield tgi.event({"token": None, "generated_text": self.text, "details": details})
    else:
        yield from original(self, happened)


def _rejected_in_stream(original: Any, dialect: Any, error: JobError) -> Response:
    response: Response = original(dialect, error)
    if response.status_code not in INVALID:
        return response
    return Response(b"data: " + bytes(response.body) + b"\n\n", media_type="text/event-stream")


def _strange(original: Any, model: Any, body: Any) -> Any:
    """An unknown member is an internal error."""
    if isinstance(body, dict) and any(name.startswith(("x_", "unknown")) for name in body):
        raise RuntimeError
    return original(model, body)


def _unknown_404(original: Any, worker: Any, id: str) -> None:
    if id not in worker.scheduler.by_id:
        raise JobError(NOT_FOUND, "INVALID_REQUEST", "No such request")
    original(worker, id)


def _positive(body: Body) -> Body:
    return body | {"logprob": -body["logprob"]}


def _cumulative(original: Any, writer: Any, token: Token) -> Body:
    shown = SHOWN[id(writer)] = SHOWN.pop(id(writer), "") + token.text if token.i else token.text
    body: Body = original(writer, token)
    if "content" in body:
        return body | {"content": shown}
    return body | {"token": body["token"] | {"text": shown}}


def _text_cut(original: Any, writer: SglangWriter, result: Any, reason: Any) -> Body:
    body: Body = original(writer, result, reason)
    return body | {"text": body["text"][:-1]} if reason is not None else body


def _stop_token_hidden(original: Any, self: LlamaWriter, happened: Event) -> Iterator[bytes]:
    hidden = isinstance(happened, Token) and happened.end is not None and happened.end.reason == "stop_sequence"
    yield from () if hidden else original(self, happened)


def _too_long(original: Any, request: Any, prompt: Any, free: int) -> Job:
    if (request.sampling_params.max_tokens or 0) > free:
        raise RuntimeError
    return original(request, prompt, free)  # type: ignore[no-any-return]


def _word_always(original: Any, writer: Any, ended: Ended, text: str, ids: list[int]) -> Body:
    return original(writer, replace(ended, matched=ended.matched or "\n"), text, ids)  # type: ignore[no-any-return]


FAILED = "a job whose model failed reports that it reached its limit"
MUTANTS = (
    mutant("vllm_data_cut", "011", "the data of one chunk is no JSON", around(VllmWriter, "event", _data_cut), VLLM),
    mutant(
        "llamacpp_word_always",
        "014",
        "stopping_word is there at the limit",
        around(llamacpp, "final", _word_always),
        LLAMA,
    ),
    mutant("vllm_failure_as_end", "112", FAILED, around(VllmWriter, "event", _vllm_end), VLLM, "012"),
    mutant("sglang_failure_as_end", "112", FAILED, around(SglangWriter, "event", _sglang_end), SGLANG, "012"),
    mutant("tgi_failure_as_end", "112", FAILED, around(TgiWriter, "event", _tgi_end), TGI, "012"),
    mutant(
        "native_rejected_in_stream",
        "034",
        "a bad request is rejected within a stream",
        around(native_endpoints, "rejection", _rejected_in_stream),
        NATIVE,
    ),
    mutant(
        "native_unknown_member",
        "035",
        "an unknown member is an internal error",
        around(native, "parsed", _strange),
        NATIVE,
        "303",
    ),
    mutant(
        "abort_unknown_404",
        "044",
        "the abort of an unknown job is 404",
        around(native_endpoints, "cancel", _unknown_404),
        (*VLLM, *SGLANG),
    ),
    mutant("tgi_logprob_positive", "102", "log probabilities are positive", after(tgi, "token", _positive), TGI),
    mutant(
        "llamacpp_logprob_positive",
        "102",
        "log probabilities are positive",
        after(llamacpp, "scored", _positive),
        LLAMA,
        "124",
    ),
    mutant(
        "tgi_text_cumulative",
        "104",
        "the text of each token has those before",
        around(tgi, "token_body", _cumulative),
        TGI,
        "105",
        "012",
        "013",
        "015",
        "016",
        "017",
        "119",
    ),
    mutant(
        "llamacpp_text_cumulative",
        "104",
        "each event repeats the text",
        around(llamacpp, "token_body", _cumulative),
        LLAMA,
        "105",
        "013",
        "015",
        "016",
        "017",
        "103",
        "119",
        "133",
        "134",
    ),
    mutant(
        "sglang_text_cut",
        "105",
        "the last event lacks the last character",
        around(sglang, "body", _text_cut),
        SGLANG,
        "013",
        "015",
        "017",
        "107",
        "119",
        "133",
    ),
    mutant(
        "llamacpp_stop_token_hidden",
        "106",
        "the token that completes a stop text is not sent",
        around(LlamaWriter, "event", _stop_token_hidden),
        LLAMA,
        "009",
        "103",
    ),
    mutant(
        "vllm_context_500",
        "115",
        "a job that exceeds the context is an internal error",
        around(vllm_generate, "job", _too_long),
        VLLM,
    ),
)
