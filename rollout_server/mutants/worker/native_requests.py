"""Defects of what the native dialects accept, which requests generated from their contracts show."""

from typing import Annotated, Any

from pydantic import Field

from rollout_conformance.contracts.rollout.wire import Number
from rollout_conformance.contracts.worker import wire_llamacpp, wire_sglang, wire_tgi, wire_vllm
from rollout_conformance.contracts.worker.wire_types import default
from rollout_conformance.rollout_server.mutants.framework import FUZZING, around, put
from rollout_conformance.rollout_server.mutants.worker.patches import LLAMA, SGLANG, TGI, VLLM, mutant
from rollout_conformance.rollout_server.worker import llamacpp, native, tgi, vllm_generate

MOST_TOP_K = 20


class _AnyTemperature(wire_vllm.SamplingParams):
    temperature: Annotated[Number, default(1.0)] = 1.0


class AnyTemperature(wire_vllm.GenerateRequest):
    sampling_params: Annotated[_AnyTemperature, default({})] = Field(default_factory=_AnyTemperature)


class _ZeroTemperature(wire_tgi.Parameters):
    temperature: Annotated[Number, Field(ge=0)] | None = None


class ZeroTemperature(wire_tgi.GenerateRequest):
    parameters: Annotated[_ZeroTemperature, default({})] = Field(default_factory=_ZeroTemperature)


class SmallTopK(wire_llamacpp.CompletionRequest):
    top_k: Annotated[int, Field(le=MOST_TOP_K), default(MOST_TOP_K)] = MOST_TOP_K


def _limit_500(original: Any, model: Any, body: Any) -> Any:
    """A limit that is no number is compared with one."""
    params = body.get("sampling_params") if isinstance(body, dict) else None
    limit = params.get("max_new_tokens") if model is wire_sglang.GenerateRequest and isinstance(params, dict) else 0
    if limit is not None and not isinstance(limit, int | float):
        raise RuntimeError
    return original(model, body)


def _prompt_500(original: Any, model: Any, body: Any) -> Any:
    """A prompt that is neither a text nor a list is read as one."""
    if isinstance(body, dict) and isinstance(body.get("prompt"), dict | float | bool):
        raise RuntimeError
    return original(model, body)


MUTANTS = (
    mutant(
        "vllm_temperature_any",
        "302",
        "a temperature below 0 is accepted",
        put(vllm_generate, "GenerateRequest", AnyTemperature),
        VLLM,
        "131",
        by=FUZZING,
    ),
    mutant(
        "tgi_temperature_zero",
        "302",
        "a temperature of 0 is accepted",
        put(tgi, "GenerateRequest", ZeroTemperature),
        TGI,
        by=FUZZING,
    ),
    mutant(
        "sglang_limit_500",
        "303",
        "a limit of another type is an internal error",
        around(native, "parsed", _limit_500),
        SGLANG,
        by=FUZZING,
    ),
    mutant(
        "llamacpp_prompt_500",
        "303",
        "a prompt of another type is an internal error",
        around(native, "parsed", _prompt_500),
        LLAMA,
        by=FUZZING,
    ),
    mutant(
        "llamacpp_top_k_rejected",
        "301",
        f"a top_k above {MOST_TOP_K} is rejected",
        put(llamacpp, "CompletionRequest", SmallTopK),
        LLAMA,
        by=FUZZING,
    ),
)
