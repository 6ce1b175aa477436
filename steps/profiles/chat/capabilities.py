"""What an inference server may have and another one lacks: how it is probed, and why a case that needs it is skipped."""

import json
from collections.abc import Iterable, Mapping

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.engine.lenient_json import JSON, listed, mapping
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers import calculator

PROBED_OR_DECLARED = (
    "token_ids",
    "logprobs",
    "tools",
    "streaming",
    "metrics",
    "calculates",
    "knows_france",
    "json",
    "ignore_eos",
)
COMMON = (
    "stop",
    "n",
    "seed",
    "required_tools",
    "max_completion_tokens",
    "keeps_reasoning",
    "request_model",
    "request_sampling",
)  # every server has these whose card does not declare `no_NAME`
SAMPLING = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "min_tokens", "n", "stop", "seed"}
) | {
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
}
IMPOSED: Mapping[str, frozenset[str]] = {
    "request_model": frozenset({"model"}),
    "request_sampling": SAMPLING,
}  # the members of a request that a target without the capability replaces by its own
HINTS: Mapping[str, str] = {
    "request_model": "a proxy that imposes a model on what it forwards declares `no_request_model` on its card: then this is not judged",
    "request_sampling": "a proxy that imposes sampling parameters of its own declares `no_request_sampling` on its card: then this is not judged",
}


def imposed(declared: Iterable[str]) -> frozenset[str]:
    """The members of a request whose values a target does not take from it, by the capabilities on its card."""
    return frozenset(member for name, members in IMPOSED.items() if f"no_{name}" in declared for member in members)


ADD = calculator.tool("add")
PROBES: dict[str, dict[str, JSON]] = {
    "token_ids": {"return_token_ids": True},
    "logprobs": {"logprobs": True},
    "tools": {"tools": [ADD]},
    "streaming": {"stream": True},
    "calculates": {
        "tools": [calculator.tool(name) for name in ("add", "subtract", "multiply", "divide")],
        "messages": [{"role": "user", "content": "Please calculate 8 times 12."}],
        "max_tokens": 128,
        "temperature": 0,
    },
    "knows_france": {
        "messages": [{"role": "user", "content": "In one word, can you provide me the capital of France?"}],
        "temperature": 0,
    },
    "json": {
        "messages": [{"role": "user", "content": "Give me a JSON object."}],
        "response_format": {"type": "json_object"},
        "max_tokens": 128,
        "temperature": 0,
    },
}
CALCULATED = (
    "multiply",
    "8",
    "12",
)  # a mock that always makes the same call, or a model that takes any tool, answers no question
TEXTS = requirements.capabilities(ROOT / "contracts" / "chat" / "requirements.yaml")
CAPABILITIES = frozenset(TEXTS)


def has(name: str, body: object) -> bool:
    """Whether a success that answers a probe shows the capability, however wrong it is: that is for the cases to judge."""
    if name == "streaming":
        return True  # a whole response in place of a stream is a breach, and no server without streams
    choices = listed(mapping(body).get("choices"))
    if not choices or not isinstance(choices[0], Mapping):
        return False
    choice = choices[0]
    if name == "token_ids":
        return isinstance(choice.get("token_ids"), list)
    if name == "logprobs":
        return bool(choice.get("logprobs"))
    message = mapping(choice.get("message"))
    content = str(message.get("content") or "")
    if name == "calculates":
        called = json.dumps([mapping(one).get("function") for one in listed(message.get("tool_calls"))])
        return all(word in called for word in CALCULATED)
    return "paris" in content.lower() if name == "knows_france" else True
