"""The YAML keys of a case about an engine, and what they stand for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.verb_parsing import made, members, verb
from rollout_conformance.steps.engine.verbs import from_functions
from rollout_conformance.steps.profiles.chat import actions as do
from rollout_conformance.steps.profiles.chat import expectations as want


def _alike_or_refused(value: Any) -> want.AlikeOrRefused:
    given = members(value)
    if "as" in given:  # a word that Python keeps for itself
        given["like"] = given.pop("as")
    return made(want.AlikeOrRefused, given)


def _fits(value: Any) -> want.Fits:
    given = members(value, "schema")
    return made(want.Fits, {**given, "schema": json.dumps(given.get("schema"))})


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "chat": verb(do.Ask, "ask"),
    "send": verb(do.Send, "path"),
    "measure": verb(do.Measure, "name"),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "answered": verb(want.Answered, "of"),
    "refused": verb(want.Refused, "of"),
    "listed": verb(want.Listed, "of"),
    "alike": verb(want.Alike, "of", {"by": ("ids", "text")}),
    "alike_or_refused": _alike_or_refused,
    "not_all_alike": verb(want.NotAllAlike, "of"),
    "sampled": verb(want.Sampled),
    "varied": verb(want.Varied, "of"),
    "grows": verb(want.Grows, "of"),
    "same_usage": verb(want.SameUsage, "of"),
    "same_logprobs": verb(want.SameLogprobs, "of"),
    "is_json": verb(want.IsJson, "of"),
    "fits": _fits,
    "more_than": verb(want.MoreThan),
    "one_call": verb(want.OneCall),
    "apart": verb(want.Apart, "word"),
    "stops": verb(want.Stops),
    "cut": verb(want.Cut),
    "choices": verb(want.Choices),
    "top_logprobs": verb(want.TopLogprobs),
    "calls": verb(want.Calls, "names"),
    "says": verb(want.Says, "text"),
    "both_told": verb(want.BothTold),
    "prompt_holds": verb(want.PromptHolds, "text"),
    "usage_chunk": verb(want.UsageChunk),
    "arrives": verb(want.Arrives, "of"),
    "freed": verb(want.Freed),
}

VOCABULARY = from_functions(ACTIONS, EXPECTATIONS)
