"""A calculator agent on the rollout server of osmosis-ai: `server.py PORT`.

The agent is the smallest that runs: it requests a generation, runs the tools that were called, and requests the next one.
"""

import json
import math
import operator
import os
import ssl
import sys

import httpx
import uvicorn
from osmosis_ai.rollout.agent_workflow import AgentWorkflow
from osmosis_ai.rollout.backend.local import LocalBackend
from osmosis_ai.rollout.context import get_rollout_context
from osmosis_ai.rollout.grader import Grader
from osmosis_ai.rollout.server import create_rollout_server
from osmosis_ai.rollout.types import AgentWorkflowConfig, ConcurrencyConfig

TLS = ssl.create_default_context()  # made once: it takes longer than a rollout
MOST_TURNS = 200
OPERATIONS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
    "required": ["a", "b"],
}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"{name} two numbers", "parameters": PARAMETERS}}
    for name in OPERATIONS
]


def result(call):
    """The content of the tool message for one call."""
    try:
        arguments = json.loads(call["function"]["arguments"])
        run = OPERATIONS[call["function"]["name"]]
        numbers = [arguments.pop("a"), arguments.pop("b")]
        if arguments or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            return "Error: the arguments are two numbers, a and b"
        value = run(*numbers)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        return f"Error: {type(error).__name__}"
    return str(value) if math.isfinite(value) else "Error: the result is not finite"


class Calculator(AgentWorkflow):
    async def run(self, ctx):
        rollout = get_rollout_context()
        messages = list(ctx.prompt)
        headers = {"Authorization": f"Bearer {rollout.api_key}"} if rollout.api_key else {}
        async with httpx.AsyncClient(timeout=60, headers=headers, verify=TLS) as http:
            for _ in range(MOST_TURNS):
                request = {"model": "default", "messages": messages, "tools": TOOLS}
                response = await http.post(f"{rollout.chat_completions_url}/chat/completions", json=request)
                response.raise_for_status()
                message = response.json()["choices"][0]["message"]
                messages.append(message)
                if not message.get("tool_calls"):
                    break
                messages += [
                    {"role": "tool", "tool_call_id": call["id"], "content": result(call)}
                    for call in message["tool_calls"]
                ]
        return messages


class Correct(Grader):
    async def grade(self, ctx):
        if ctx.sample is not None:
            last = next((m for m in reversed(ctx.sample.messages) if m.get("role") == "assistant"), {})
            ctx.set_reward(1.0 if ctx.label and ctx.label in str(last.get("content")) else 0.0)


def leases():
    """The limits of leases, where the environment names them."""
    names = {"result_wait_timeout_sec": "RESULT_WAIT_S", "polling_lease_timeout_sec": "LEASE_S"}
    return {name: float(os.environ[variable]) for name, variable in names.items() if variable in os.environ}


concurrency = ConcurrencyConfig(max_concurrent=int(os.environ.get("SLOTS", "64")))
backend = LocalBackend(
    workflow=Calculator, workflow_config=AgentWorkflowConfig(name="calculator", concurrency=concurrency), grader=Correct
)
uvicorn.run(
    create_rollout_server(backend=backend, **leases()), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning"
)
