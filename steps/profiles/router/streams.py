"""Expectations about streams that a router forwards, some of them interrupted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.sse.streams import DONE


@verb("text", short="text", example=("Done.", "{of: both, text: One two three.}"))
@phrase("the text of {of:responses} is exactly {text}")
@dataclass(frozen=True, slots=True)
class ResponseText(ResponseExpectation):
    """The content of the first choice is exactly this text: nothing is lost, and nothing is duplicated."""

    text: str
    "The text."

    def check(self, response: ChatResponse, view: Any) -> Check:
        content = response.first_choice.content
        return Check(content == self.text, show(self.text), show(content))


@verb("incomplete_stream", short="of", example="{or_text: One two three.}")
@phrase("{of:response} is recognisable as incomplete")
@phrase("{of:several_responses} are recognisable as incomplete")
@phrase("{of:response} is recognisable as incomplete, or its text is exactly {or_text}")
@dataclass(frozen=True, slots=True)
class IncompleteStream(ResponseExpectation):
    """A stream whose backend failed cannot be taken for a complete one: it has no finish_reason, and ends with an error event or a reset
    connection. A status of 400 or more is right as well."""

    or_text: str = ""
    "A complete stream of exactly this text is right as well: another backend may have resumed it."

    def check(self, response: ChatResponse, view: Any) -> Check:
        expected = "an error event, or a connection that is closed before the stream ends"
        if response.status is not None and response.status >= 400:
            return Check(True, expected, "")
        finish, content = response.first_choice.finish, response.first_choice.content
        error = any(mapping(one).get("error") for one in response.data)
        broken = view.trace.exchanges[response.n].fault is not None
        whole = bool(self.or_text) and content == self.or_text and finish is not None
        ok = whole or (finish is None and (error or (broken and DONE not in response.data)))
        done = "[DONE]" if DONE in response.data else "no [DONE]"
        observed = f"finish_reason {show(finish)}, {done}, content {show(content)}"
        return Check(ok, expected, observed + ("" if error or broken else ", and no sign that anything is missing"))


@verb("coherent_stream", example="{usage: {completion_tokens: 10}}")
@phrase("{of:response} is one coherent stream")
@dataclass(frozen=True, slots=True)
class CoherentStream(ResponseExpectation):
    """A stream that two backends generated is one stream: one id, one role, one finish_reason, [DONE] at the end, and the usage of the
    whole."""

    usage: Mapping[str, int] = field(default_factory=dict)
    "Members that the usage has to have."

    def check(self, response: ChatResponse, view: Any) -> list[Check]:
        ids = {str(mapping(data).get("id")) for data in response.data if isinstance(data, Mapping)}
        roles = [part for part in response.deltas if text(mapping(part.get("delta")).get("role"))]
        ends = [part for part in response.deltas if part.get("finish_reason")]
        one = len(ids) == len(roles) == len(ends) == 1 and response.data[-1:] == [DONE]
        last = show(response.data[-1:])
        observed = f"{len(ids)} ids, {len(roles)} roles, {len(ends)} finish_reasons, the last event {last}"
        found = [Check(one, "one id, one role, one finish_reason, [DONE] at the end", observed)]
        if self.usage:
            ok = all(response.usage.get(name) == value for name, value in self.usage.items())
            found.append(Check(ok, show(dict(self.usage)), show(response.usage)))
        return found
