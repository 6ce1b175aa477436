"""The tool calls of a completion, and what it makes of their results."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, functions
from rollout_conformance.steps.profiles.chat.view import CaseView

ANY = "any"


@verb(
    "tool_calls",
    short="names",
    example=("[add, multiply]", "{of: first, names: []}", "{names: [any], requested: true}"),
)
@phrase("{of:responses} calls {names:names}")
@phrase("{of:responses} calls {names:names}, as `tool_choice` requests", requested=True)
@phrase("{of:responses} calls a tool, as `tool_choice` requests", names=(ANY,), requested=True)
@phrase("{of:responses} calls no tool", names=())
@phrase("{of:several_responses} call no tool", names=())
@phrase("{of:responses} calls no tool, as `tool_choice` requests", names=(), requested=True)
@dataclass(frozen=True, slots=True)
class ToolCalls(ResponseExpectation):
    """The completion calls exactly these tools, in this order, each with an id of its own and JSON arguments."""

    names: tuple[str, ...]
    "Names of tools, or `any`; no call at all where the list is empty."
    requested: bool = False
    "Whether the request demands it with `tool_choice`: anything else is then a parameter without effect."

    def check(self, response: ChatResponse, view: Any) -> Check:
        choice = response.first_choice
        called = [name for name, _ in functions(choice)]
        ok = len(called) == len(self.names) and all(
            wanted in (ANY, name) for wanted, name in zip(self.names, called, strict=False)
        )
        ids = [str(call.get("id")) for call in choice.calls]
        whole = all(_is_call(call) for call in choice.calls) and len(set(ids)) == len(ids)
        expected = (
            f"calls of {', '.join(self.names)}, each of type function, with an id of its own and JSON arguments"
            if self.names
            else "no call"
        )
        observed = f"{show(choice.calls)}, content {show(choice.content)}"
        return Check(ok and whole, expected, observed, ignored=self.requested and not ok)


def _is_call(call: Mapping[str, Any]) -> bool:
    function = call.get("function")
    try:
        arguments = json.loads(function["arguments"]) if isinstance(function, Mapping) else None
    except (ValueError, TypeError, KeyError):
        return False
    named = isinstance(call.get("id"), str) and bool(call["id"]) and call.get("type") == "function"
    return isinstance(arguments, dict) and named


@verb("at_most_one_call", example="{of: one, beside: several}")
@dataclass(frozen=True, slots=True)
class AtMostOneCall(ResponseExpectation):
    """At most one tool call, where the same request led to several when they were allowed. A rejection is none."""

    beside: ResponseName
    "The response to the same request where several calls were allowed."

    @property
    def may_be_rejected(self) -> bool:
        return True

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for several, response in zip(view.named(self.beside), view.named(*self.of), strict=True):
            if len(several.first_choice.calls) > 1 and response.status == 200:
                count = len(response.first_choice.calls)
                check = Check(count < 2, "at most one call", f"{count} calls", ignored=count > 1)
                yield check.evidence(requirement, response)


@verb("contains_results", example="{calls: first, of: second, results: ['8', '42']}")
@dataclass(frozen=True, slots=True)
class ContainsResults(ResponseExpectation):
    """Where the model called a tool for each of these results, its next completion contains all of them. A model that makes one call at a
    time decides nothing."""

    calls: ResponseName
    "The response with the tool calls."
    results: tuple[str, ...] = ("8", "42")
    "What the tools returned."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        calls = view.named(self.calls)[0].first_choice.calls
        if len(calls) != len(self.results) or response.first_choice.calls:
            return None
        content = response.first_choice.content
        ok = all(result in content for result in self.results)
        return Check(ok, f"{' and '.join(self.results)} in the content", show(content))
