"""How a backend behind a router responds to one request, as a case writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rollout_conformance.steps.peers.completion_responses import FLOOD_BYTES, WORDS
from rollout_conformance.steps.peers.event_framing import Framing

Fault = Literal["reset", "silent", "stalled", "truncated", "empty", "headers_only"]
ErrorForm = Literal["member", "named", "flat", "then_done"]


@dataclass(frozen=True, slots=True)
class BackendResponse:
    """How a backend responds to one request. A number stands for its `status`, the name of a fault for its `fault`, any other text for its
    `text`."""

    text: str = WORDS
    "What the assistant message contains; a stream has one chunk for each word."
    status: int = 200
    "The HTTP status; any other than 200 has an error object as its body."
    body: str = ""
    "The body of a response whose status is not 200, instead of the error object."
    fault: Fault | None = None
    "`reset` closes the connection without a response, `silent` sends nothing, `stalled` sends the headers and no \
body, `truncated` closes the connection after half of the body; of a stream, `empty` sends the headers and ends in order without an \
event, and `headers_only` closes the connection after the headers."
    delay_s: float = 0.0
    "Seconds before the response begins."
    chunk_every_s: float = 0.0
    "Seconds between two chunks of a stream."
    reset_after: int = 0
    "The connection is reset after so many chunks of a stream."
    silent_after: int = 0
    "Nothing is sent after so many chunks of a stream, and the connection stays open."
    ends_after: int = 0
    "A stream ends in order after so many chunks, without the rest of it."
    error_after: int = 0
    "After so many chunks of a stream an event with an error object ends it, without [DONE]."
    error_form: ErrorForm = "member"
    "The event of `error_after`: `member` has the error object as its member `error`, `named` is an event of the type `error`, `flat` has \
the members of the error object itself, `then_done` is followed by [DONE]."
    done: bool = True
    "Whether a stream ends with [DONE]."
    chunks: tuple[Mapping[str, object], ...] = ()
    "The chunks of a stream, instead of those of `text`: each as the members of its first choice, `{delta: {content: a}}`. One with `choices` \
or `error` is the whole chunk."
    spaces: Literal["before", "after"] = "before"
    "Whether the space between two words is at the beginning of a chunk or at the end of the one before."
    extra_member: bool = False
    "Whether each chunk of a stream has a member `rc_word` that is in no specification."
    split_events: bool = False
    "Whether a stream is sent in parts that end within events, and within characters of several bytes."
    packet_bytes: int = 0
    "A stream is sent in parts of so many bytes, wherever they end."
    framing: tuple[Framing, ...] = ()
    "How the events of a stream are written: `crlf` and `cr` are line ends, `no_space` and `two_spaces` stand after a colon, `comments` and \
`fields` (event, id, retry) beside the data, `data_lines` spread the data over several lines."
    choice_index: int = 0
    "The `index` of the choice of a stream."
    hold: bool = False
    "Whether the response is held until the step `release_backends`."
    size: int = 0
    "The size of the message in bytes, instead of `text`."
    chunk_bytes: int = FLOOD_BYTES
    "The size of the content of a chunk, in a stream of this `size`."
    of_arguments: bool = False
    "Whether a stream of this `size` is the arguments of a tool call, and not content."
    gzip: bool = False
    "Whether the body is compressed, where the request accepts gzip."
    endless: bool = False
    "Whether a stream repeats its words until the router disconnects."
    permanent: bool = False
    "Whether the backend that gave this response gives it again to each later request of the case."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Content-Type."
    members: Mapping[str, object] = field(default_factory=dict)
    "Members of the response body (of each chunk of a stream) that are added, or replace the usual ones."
    usage: Mapping[str, object] = field(default_factory=dict)
    "Members of the usage that are added, or replace the usual ones."

    @property
    def is_empty_stream(self) -> bool:
        """Whether a stream has no event, whatever its end."""
        return self.fault in ("empty", "headers_only")

    @property
    def interrupted_after(self) -> int:
        """After how many chunks a stream stops before its end, 0 where it does not."""
        return self.reset_after or self.silent_after or self.error_after or self.ends_after

    @property
    def ends_in_order(self) -> bool:
        """Whether a stream ends as a complete one does, and before its end."""
        return self.ends_after > 0 or self.fault == "empty"

    @property
    def is_incomplete(self) -> bool:
        """Whether a response begins and does not come to its end."""
        has_error = any("error" in chunk for chunk in self.chunks)
        return self.fault is not None or self.interrupted_after > 0 or has_error or not self.done

    @property
    def gives_nothing(self) -> bool:
        """Whether not even the beginning of a completion is sent."""
        return self.status >= 400 or self.fault is not None

    @property
    def fails(self) -> bool:
        """Whether this is anything but a complete good response: what a router may count as a failure of the backend."""
        return self.gives_nothing or self.is_incomplete

    @property
    def is_outage(self) -> bool:
        """Whether a router may take the backend out of service for it. A 4xx is the fault of the client, except of one that is too fast."""
        return self.status >= 500 or self.status in (408, 429) or self.is_incomplete
