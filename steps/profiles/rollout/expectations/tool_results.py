"""What may be demanded of tool results: the messages with role `tool` in the generation requests."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JSON, mapping, text
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import RolloutExpectation
from rollout_conformance.steps.profiles.rollout.invariants.tools import (
    following,
    gives,
    looks_like_error,
    result_of,
    shown_in,
)
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

ERROR, HUGE = "error", "huge"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
COUNT, ORDER = "ROLLOUT-093", "ROLLOUT-095"
OF_EACH_RESULT = ("ROLLOUT-095", "ROLLOUT-102", "ROLLOUT-104", "ROLLOUT-107")  # about results that all have to be there
SCHEMA = {"type": "array", "items": {"type": ["number", "string", "boolean", "null", "array"]}}


def _values(written: Any) -> tuple[Any, ...]:
    """A list in the list holds the values of which each is right."""
    for one in written:
        for value in one if isinstance(one, list) else (one,):
            _is_no_number_in_quotes(value)
    return tuple(tuple(one) if isinstance(one, list) else one for one in written)


def _is_no_number_in_quotes(value: object) -> None:
    """Raises `ValueError`: as a text, "8" is in 18 as well, and "8.0" is not in 8."""
    if isinstance(value, str) and NUMBER.fullmatch(value):
        raise ValueError(f'"{value}" in quotes is a text, which 1{value} has in it as well; write the number, {value}')


@verb("tool_results", short="values", example=("8", "[sun, snow]", "[3, 8, error]", "[[error, 8]]"))
@phrase("the tool result is {values:json}")
@phrase("the tool results are {values:json}", example={"values": '["sun", "snow"]'})
@phrase("the tool call returns an error", values=(ERROR,))
@dataclass(frozen=True, slots=True)
class ToolResults(RolloutExpectation):
    """The rollout has these tool results, in order."""

    values: Annotated[tuple[object, ...], Written(_values, SCHEMA)]
    "For each a number or text, `error` for the text of an error, `huge` for a number that no float can hold, or a list of what is right."

    or_error: bool = False
    "Whether the rollout may end with ERROR instead."

    @property
    def results(self) -> int:
        """How many of the values are no error: those that only a tool which the target has can give."""
        return sum(value != ERROR and not (isinstance(value, tuple) and ERROR in value) for value in self.values)

    @property
    def admits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("error",) if self.or_error else ()

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        """Results in another order, or fewer of them than calls, are that, whatever the case says of each result."""
        for rollout in self.chosen(view):
            accused = self._accused(tool_contents(rollout), requirement)
            yield from (check.evidence(accused) for check in self.check(rollout, view))

    def _accused(self, contents: list[JSON], requirement: str) -> str:
        if len(contents) != len(self.values):
            return COUNT if requirement in OF_EACH_RESULT else requirement
        left = list(contents)
        for value in self.values:
            found = next((one for one in left if _is_right(one, value)), None)
            if found is None:
                return requirement
            left.remove(found)
        in_order = all(_is_right(*pair) for pair in zip(contents, self.values, strict=True))
        return requirement if in_order else ORDER

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        contents = tool_contents(rollout)
        if self.or_error and rollout.is_error():
            yield Comparison(True, "ERROR", "ERROR")
            return
        if len(contents) != len(self.values):
            told = f"{len(contents)}: {show(contents)}"
            yield Comparison(False, f"{len(self.values)} tool message(s)", told, proof=_exchanges(rollout))
            return
        if not contents:
            yield Comparison(True, "no tool message", "none")
        called = _called(rollout, len(contents))
        for value, content, subject in zip(self.values, contents, called, strict=True):
            expected = f"{subject} {_described(value)} (as the case demands)"
            yield Comparison(
                _is_right(content, value), expected, f"content: {show(content)}", proof=_exchanges(rollout)
            )


def _is_right(content: JSON, value: object) -> bool:
    return any(_is(content, one) for one in (value if isinstance(value, tuple) else (value,)))


def _described(value: object) -> str:
    if isinstance(value, tuple):
        return " or ".join(_described(one) for one in value)
    words = {ERROR: "reports an error", HUGE: "gives the exact number"}
    return words.get(str(value)) or f"gives {show(value)}"


def _is(content: JSON, value: object) -> bool:
    if value == ERROR:
        return looks_like_error(content)
    return isinstance(content, str) and gives(content, math.inf if value == HUGE else value)


def _called(rollout: Rollout, count: int) -> list[str]:
    """The calls of the policy whose results are judged, where each has one; else only that these are tool messages."""
    calls = [call for turn in rollout.generated if turn.issued for call in turn.issued.calls]
    if len(calls) != count:
        return ["a tool message that"] * count
    return [show(mapping(call).get("function")) for call in calls]


def _exchanges(rollout: Rollout) -> tuple[int, ...]:
    """Those with the calls of the policy, and those in which the server showed their results."""
    turns = [turn for turn in rollout.generated if turn.issued and turn.issued.calls]
    return tuple(n for turn in turns for n in (turn.n, *shown_in(rollout, turn)))


def tool_contents(rollout: Rollout) -> list[JSON]:
    """The contents of the tool messages of all turns, in order."""
    return [
        message.get("content")
        for turn in rollout.generated
        for message in following(rollout, turn) or []
        if isinstance(message, dict) and message.get("role") == "tool"
    ]


@verb("tool_error_prefix", short="rollout", example="left")
@phrase('the texts of tool errors begin with "Error:"')
@dataclass(frozen=True, slots=True)
class ToolErrorPrefix(RolloutExpectation):
    """The texts of tool errors begin with `Error:`."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        for content in tool_contents(rollout):
            if looks_like_error(content):
                yield Comparison(content.startswith("Error:"), "content begins with Error:", show(content))


@verb("no_internals", short="rollout", example="left")
@phrase("no tool result contains source code")
@dataclass(frozen=True, slots=True)
class NoInternals(RolloutExpectation):
    """No tool result contains source code of the server. The name of an exception or of a tool is no source code."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        responses = [chat.exchange.response for chat in rollout.chats if chat.exchange.response is not None]
        sent = internal_error_patterns.Sent(response.body for response in responses)
        for content in tool_contents(rollout):
            source = internal_error_patterns.SOURCE
            found = internal_error_patterns.leaked(content, source, sent) if isinstance(content, str) else None
            observed = internal_error_patterns.excerpt(text(content), found) if found else show(content)
            yield Comparison(found is None, "an error text without source code", observed)


@verb("truncated_call_not_run", short="rollout", example="left")
@phrase("no truncated tool call is run")
@dataclass(frozen=True, slots=True)
class TruncatedCallNotRun(RolloutExpectation):
    """Every tool result is an error: the tool calls of the case are truncated."""

    admits: ClassVar = ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        run = [content for content in tool_contents(rollout) if not looks_like_error(content)]
        yield Comparison(not run, "no result of a truncated tool call", f"content: {show(run[:1])}")


@verb("no_call_run", short="rollout", example="left")
@phrase("no tool call is run")
@dataclass(frozen=True, slots=True)
class NoCallRun(RolloutExpectation):
    """The tool calls have no result: they have no tool messages, or such as report an error."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        run = [content for content in tool_contents(rollout) if not looks_like_error(content)]
        yield Comparison(not run, "no result of a tool call", f"content: {show(run[:1])}")


@verb("only_listed_tools_run", short="rollout", example="left")
@phrase("every listed tool runs, and no other")
@dataclass(frozen=True, slots=True)
class OnlyListedToolsRun(RolloutExpectation):
    """A call of a tool that the target lists returns its value, a call of any other an error."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        calls = [call for turn in rollout.generated if turn.issued for call in turn.issued.calls]
        for call, content in zip(calls, tool_contents(rollout), strict=False):
            name = text(mapping(mapping(call).get("function")).get("name"))
            listed = name in view.tools
            expected = f"{name} is listed and runs" if listed else f"{name} is not listed and does not run"
            value = result_of(view, call)  # a result may be told in words, as in an error
            ran = not looks_like_error(content) or (value is not None and gives(content, value))
            yield Comparison(ran == listed, expected, f"content: {show(content)}")
