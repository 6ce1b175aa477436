"""Expectations about streams that a router forwards, some of them interrupted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.trace import SILENT
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.peers.backend_response import BackendResponse
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script
from rollout_conformance.steps.profiles.router.excerpts import chunks_around
from rollout_conformance.steps.sse.streams import DONE

SOON_S = 1.0


@verb("text", short="text", example=("Done.", "{of: both, text: One two three.}"))
@phrase("the text of {of:responses} is exactly {text}")
@dataclass(frozen=True, slots=True)
class ResponseText(ResponseExpectation):
    """The content of the first choice is exactly this text: nothing is lost, and nothing is duplicated."""

    text: str
    "The text."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        content = response.first_choice.content
        return Check(content == self.text, show(self.text), show(content))


@verb("incomplete_stream", short="of", example="{or_text: One two three.}")
@phrase("{of:response} is recognisable as incomplete")
@phrase("{of:several_responses} are recognisable as incomplete")
@phrase("{of:response} is recognisable as incomplete, or its text is exactly {or_text}")
@dataclass(frozen=True, slots=True)
class IncompleteStream(ResponseExpectation):
    """A stream whose backend failed cannot be taken for a complete one: it has no finish_reason, and ends with an error event or a reset
    connection; where the backend itself ended in order, without [DONE]. It does not stay open when no backend has more to send. A status of
    400 or more is right as well."""

    or_text: str = ""
    "A complete stream of exactly this text is right as well: another backend may have resumed it."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        expected = "an error event, or a connection that is closed before the stream ends"
        if response.status is not None and response.status >= 400:
            return Check(True, expected, "")
        fault = view.trace.exchanges[response.n].fault
        finish, content = response.first_choice.finish, response.first_choice.content
        error = any(map(_is_error, response.data))
        if fault and fault.startswith(SILENT) and not error and all(map(_ends, script(view).played)):
            observed = (
                f"{fault}, although each backend ended its response or closed its connection; content {show(content)}"
            )
            return Check(False, expected, observed, timing=True)
        broken = fault is not None
        in_order = any(line.ends_in_order for line in script(view).played)  # to forward this end as it is hides nothing
        whole = bool(self.or_text) and content == self.or_text and finish is not None
        ended = error or ((broken or in_order) and DONE not in response.data)
        done = "[DONE]" if DONE in response.data else "no [DONE]"
        last = chunks_around(response.data, len(response.data) - 2)
        observed = f"finish_reason {show(finish)}, {done}, content {show(content)}; {last}"
        sign = "" if error or broken else _no_sign(response)
        return Check(whole or (finish is None and ended), expected, observed + sign)


def _ends(line: BackendResponse) -> bool:
    """Whether a response of a backend has an end, soon: a router that waits for more of one that has none is judged by its timeouts."""
    waits = line.silent_after or line.hold or line.endless or line.fault in ("silent", "stalled")
    return not waits and max(line.delay_s, line.chunk_every_s) < SOON_S


def _no_sign(response: ChatResponse) -> str:
    unread = response.outside_events[-1:]
    but = f" but a line that belongs to no event: {show(unread[0])}" if unread else ""
    return f", and no sign that anything is missing{but}"


def _is_error(event: object) -> bool:
    """Whether an event has an error object, or is one (`object: error`)."""
    members = mapping(event)
    return bool(members.get("error")) or members.get("object") == "error"


@verb("coherent_stream", example="{usage: {completion_tokens: 10}}")
@phrase("{of:response} is one coherent stream")
@dataclass(frozen=True, slots=True)
class CoherentStream(ResponseExpectation):
    """A stream that two backends generated is one stream: one id, one role, one finish_reason, [DONE] at the end, and the usage of the
    whole."""

    usage: Mapping[str, int] = field(default_factory=dict)
    "Members that the usage has to have."

    def check(self, response: ChatResponse, view: CaseView) -> list[Check]:
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
