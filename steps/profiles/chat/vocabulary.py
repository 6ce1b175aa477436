"""The YAML keys of a case about an engine, and what they stand for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from steps.engine.cases import Action, Expectation
from steps.profiles.chat import actions as do
from steps.profiles.chat import expectations as want


def _one(value: Any, key: str) -> dict[str, Any]:
    """`verb: x` is short for `verb: {key: x}`; no value at all is the verb's own default."""
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None or value is True else {key: value}


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _tuples(kind: Callable[..., Any], key: str, *names: str) -> Callable[[Any], Any]:
    """A verb whose members `names` are lists; a list alone is its `key`."""

    def verb(value: Any) -> Any:
        given = {key: value} if isinstance(value, list) else _one(value, key)
        return kind(**{name: _tuple(said) if name in names else said for name, said in given.items()})

    return verb


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "chat": _tuples(do.Ask, "ask", "messages", "tools", "without"),
    "send": lambda v: do.Send(**_one(v, "path")),
    "measure": lambda v: do.Measure(**_one(v, "name")),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "answered": _tuples(want.Answered, "of", "statuses"),
    "refused": lambda v: want.Refused(**_one(v, "of")),
    "listed": lambda v: want.Listed(**_one(v, "of")),
    "alike": _tuples(want.Alike, "of", "of"),
    "alike_or_refused": lambda v: want.AlikeOrRefused(v["of"], v["as"]),
    "not_all_alike": lambda v: want.NotAllAlike(**_one(v, "of")),
    "sampled": lambda v: want.Sampled(**v),
    "varied": lambda v: want.Varied(**_one(v, "of")),
    "grows": _tuples(want.Grows, "of", "of"),
    "same_usage": _tuples(want.SameUsage, "of", "of"),
    "same_logprobs": _tuples(want.SameLogprobs, "of", "of"),
    "is_json": lambda v: want.IsJson(**_one(v, "of")),
    "fits": lambda v: want.Fits(json.dumps(v["schema"]), v.get("of", "it")),
    "more_than": lambda v: want.MoreThan(**{**v, "wholes": tuple(v["wholes"])}),
    "one_call": lambda v: want.OneCall(**v),
    "apart": _tuples(want.Apart, "word", "of"),
    "stops": lambda v: want.Stops(**v),
    "cut": lambda v: want.Cut(**v),
    "choices": lambda v: want.Choices(**v),
    "top_logprobs": lambda v: want.TopLogprobs(**v),
    "calls": _tuples(want.Calls, "names", "names"),
    "says": lambda v: want.Says(**_one(v, "text")),
    "both_told": lambda v: want.BothTold(**v),
    "prompt_holds": lambda v: want.PromptHolds(**_one(v, "text")),
    "usage_chunk": lambda v: want.UsageChunk(**v),
    "arrives": lambda v: want.Arrives(**_one(v, "of")),
    "freed": lambda v: want.Freed(**v),
}
