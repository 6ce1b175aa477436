"""The tool calls of a completion, and what it makes of their results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice, functions
from rollout_conformance.steps.profiles.chat.view import CaseView

ANY = "any"
LONGEST = 80  # characters of a call
NO_CALL, ARGUMENTS = "CHAT-042", "CHAT-040"


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
    """The completion calls exactly these tools, in this order, each with a JSON object as arguments."""

    names: tuple[str, ...]
    "Names of tools, or `any`; no call at all where the list is empty."
    requested: bool = False
    "Whether the request demands it with `tool_choice`: anything else is then a parameter without effect."

    @property
    def may_be_rejected(self) -> bool:
        """A request that must lead to no call does not lead to one where it is rejected: that is visible, and a SHOULD (CHAT-301)."""
        return self.requested and not self.names

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        if self.may_be_rejected and response.is_client_error:
            return Check(True, "no call, or a 4xx", f"{response.status}")
        choice = response.first_choice
        called = [name for name, _ in functions(choice)]
        ok = self._as_requested(called) if self.requested and self.names else self._in_order(called)
        expected = f"calls of {', '.join(self.names)}, with JSON objects as arguments" if self.names else "no call"
        observed = f"{_shown(choice)}, content {show(choice.content)}"
        readable = all(map(_has_json_arguments, choice.calls))
        missing = bool(self.names) and not called and _requires_call(response)
        # Wrong whatever the case is about: no call where one was demanded, and the arguments of calls that are the right ones.
        requirement = NO_CALL if missing else ARGUMENTS if ok and not readable else ""
        ignored = self.requested and not ok
        return Check(ok and readable, expected, observed, ignored=ignored, requirement=requirement)

    def _in_order(self, called: list[str]) -> bool:
        return len(called) == len(self.names) and all(
            wanted in (ANY, name) for wanted, name in zip(self.names, called, strict=False)
        )

    def _as_requested(self, called: list[str]) -> bool:
        """`required` and a named tool demand one or more calls (the API reference of OpenAI), so several are as right as one (CHAT-042)."""
        return bool(called) and all(ANY in self.names or name in self.names for name in called)


def _requires_call(response: ChatResponse) -> bool:
    """Whether the request demands a call, so that its absence is what is wrong, whatever the case is about."""
    choice = response.request.get("tool_choice")
    return choice == "required" or isinstance(choice, Mapping)


def _shown(choice: Choice) -> str:
    """The calls as they are written in a program: whatever their ids are, each is named."""
    told = [f"{name}({arguments})" for name, arguments in functions(choice)]
    return (
        f"calls of {', '.join(one if len(one) < LONGEST else f'{one[:LONGEST]} ...' for one in told)}"
        if told
        else "no call"
    )


def _has_json_arguments(call: Mapping[str, object]) -> bool:
    """The model of a case that names its calls writes JSON. Ids, empty arguments and the other members are judged everywhere (CHAT-040)."""
    arguments = text(mapping(call.get("function")).get("arguments"))
    return not arguments.strip() or isinstance(parse(arguments.encode("utf-8", "replace")), dict)


@verb("at_most_one_call", example="{of: one, beside: several}")
@dataclass(frozen=True, slots=True)
class AtMostOneCall(JudgesRejections, ResponseExpectation):
    """At most one tool call, where the same request led to several when they were allowed. A rejection is none."""

    beside: ResponseName
    "The response to the same request where several calls were allowed."

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
