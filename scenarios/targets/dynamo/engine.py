"""A Dynamo backend whose engine is the reference worker over the wire of SGLang: `engine.py MODEL_FOLDER WORKER_URL`.

It does what the backends of Dynamo do: token ids in, token ids out; the frontend has the chat template, the detokenizer, stop texts and parsers.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
from dynamo.common.backend.logprobs import extract_from_sglang_meta, parse_logprob_options
from dynamo.common.utils.runtime import create_runtime
from dynamo.llm import ModelInput, ModelRuntimeConfig, ModelType, WorkerType, register_model
from dynamo.llm.exceptions import InvalidArgument

CONTEXT = 4096  # of the tiny model
SAMPLING = ("presence_penalty", "frequency_penalty", "repetition_penalty", "temperature", "top_p", "top_k", "min_p")
FOLDER, WORKER = sys.argv[1:]
CLIENT = httpx.AsyncClient(base_url=WORKER, timeout=None)


def sampling_params(request: dict[str, Any]) -> dict[str, Any]:
    asked, ends = request.get("sampling_options") or {}, request.get("stop_conditions") or {}
    stop = {*(ends.get("stop_token_ids_hidden") or []), *(ends.get("stop_token_ids") or [])}
    most = ends.get("max_tokens") or CONTEXT - len(request["token_ids"])
    params = {name: asked.get(name) for name in SAMPLING}
    params |= {"max_new_tokens": most, "min_new_tokens": ends.get("min_tokens"), "ignore_eos": ends.get("ignore_eos")}
    schema = (asked.get("guided_decoding") or {}).get("json")
    params |= {"sampling_seed": asked.get("seed"), "stop_token_ids": sorted(stop)}
    params |= {"json_schema": json.dumps({"enum": [instance(schema)]})} if schema else {}
    return {name: value for name, value in params.items() if value is not None}


def instance(schema: dict[str, Any]) -> Any:
    """A value that a schema permits: the worker constrains an output to given values, and not to a schema."""
    for name in ("anyOf", "oneOf", "enum"):
        if name in schema:
            return schema[name][0] if name == "enum" else instance(schema[name][0])
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    if kind == "array":
        return [instance(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
    plain = {
        "integer": schema.get("minimum", 5),
        "number": schema.get("minimum", 5),
        "string": "five",
        "boolean": True,
        "null": None,
    }
    return plain[kind] if kind in plain else {name: instance(one) for name, one in schema.get("properties", {}).items()}


async def events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def new_part(event: dict[str, Any], known: int, index: int) -> dict[str, Any]:
    """What an event of a choice has that the one before, with `known` tokens, had not."""
    meta = event["meta_info"]
    lists = ("output_token_logprobs", "output_top_logprobs")
    logprobs, top = extract_from_sglang_meta({name: (meta.get(name) or [])[known:] for name in lists})
    chunk = {"index": index, "token_ids": event["output_ids"][known:], "log_probs": logprobs, "top_logprobs": top}
    end = meta.get("finish_reason")
    return {name: value for name, value in chunk.items() if value is not None} | (
        {"finish_reason": end["type"]} if end else {}
    )


async def one_choice(request: dict[str, Any], context: Any, index: int) -> AsyncIterator[dict[str, Any]]:
    top, _ = parse_logprob_options(request.get("output_options") or {})
    params = sampling_params(request)
    params |= {"sampling_seed": params["sampling_seed"] + index} if "sampling_seed" in params else {}
    body = {"input_ids": list(request["token_ids"]), "sampling_params": params, "stream": True}
    body |= {"return_logprob": top is not None, "top_logprobs_num": top or 0}
    async with CLIENT.stream("POST", "/generate", json=body) as response:
        if response.status_code >= 400:
            raise InvalidArgument((await response.aread()).decode())
        known = 0
        async for event in events(response):
            if context.is_stopped():
                return
            yield new_part(event, known, index)
            known = len(event["output_ids"])


async def generate(request: dict[str, Any], context: Any) -> AsyncIterator[dict[str, Any]]:
    """The choices in turns; each ends with a finish reason of its own."""
    n = (request.get("sampling_options") or {}).get("n") or 1
    choices = [one_choice(request, context, index) for index in range(n)]
    while choices:
        for choice in [*choices]:
            chunk = await anext(choice, None)
            if chunk is None:
                choices.remove(choice)
            else:
                yield chunk


async def main() -> None:
    runtime, _ = create_runtime("file", "tcp")
    endpoint = runtime.endpoint("dynamo.backend.generate")
    config = ModelRuntimeConfig()
    config.context_length, config.tool_call_parser = CONTEXT, "hermes"
    kind = {"worker_type": WorkerType.Aggregated, "kv_cache_block_size": 16, "runtime_config": config}
    registered = register_model(ModelInput.Tokens, ModelType.Chat, endpoint, FOLDER, "tiny", **kind)
    await asyncio.gather(endpoint.serve_endpoint(generate), registered)


asyncio.run(main())
