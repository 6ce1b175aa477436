"""What two completions are compared by, and how likely one was."""

import json
import math
from collections.abc import Mapping
from typing import Any

from rollout_conformance.steps.profiles.chat.responses import Choice, functions

BIG = 2**53  # no probability has a logarithm below minus this


def sample(choice: Choice, by: str = "text") -> Any:
    """The token ids of a choice where it has any and they are meant, else its text, its tool calls and its finish reason."""
    if by == "token_ids" and choice.ids is not None:
        return list(choice.ids)
    # Where no ids show what was sampled, the spacing of arguments is left to the server.
    calls = [
        {"name": name, "arguments": arguments if choice.ids else _parsed(arguments)}
        for name, arguments in functions(choice)
    ]
    return {"content": choice.content, "calls": calls, "finish": choice.finish}


def sample_key(choice: Choice) -> str:
    """What distinguishes two samples, as one text."""
    return json.dumps(sample(choice))


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def likelihood(choice: Choice, times: int) -> float:
    """How likely it is, by its own logprobs, that this choice is sampled so many times; 1 where it has none."""
    total = sum(value for value in map(logprob, choice.logprobs or ()) if math.isfinite(value))
    return math.exp(min(0.0, total) * times)


def logprobs(choice: Choice) -> list[float]:
    return [value for value in map(logprob, choice.logprobs or ()) if value > -math.inf]


def logprob(entry: Mapping[str, Any]) -> float:
    """What is no logprob is less likely than anything."""
    value = entry.get("logprob")
    return value if isinstance(value, float) else float(value) if type(value) is int and abs(value) < BIG else -math.inf
