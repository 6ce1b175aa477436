"""What a profile that can be recorded gives: where each request goes, and what becomes of a recording as a case."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rollout_conformance.steps.engine import redaction
from rollout_conformance.steps.engine.trace import Request

if TYPE_CHECKING:
    from rollout_conformance.steps.peers.reverse_proxy import Route

LONG = 8  # a key of fewer characters is often a word, such as `EMPTY`, and would be masked in every text


@dataclass(frozen=True, slots=True)
class Recorded:
    """One rollout or conversation: `case` as it is written in YAML, or `why` there is none. `options` are what `run` needs besides
    the file, `remarks` what the author should know."""

    case: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    options: str = ""
    remarks: tuple[str, ...] = ()


def written(case: Mapping[str, Any], options: str = "", remarks: Iterable[str] = ()) -> Recorded:
    """A recording without secrets: one that is seen in one place of it is masked in all."""
    clean = redaction.scrubbed({"case": dict(case), "remarks": list(remarks)})
    assert isinstance(clean, dict)
    return Recorded(clean["case"], options=options, remarks=tuple(clean["remarks"]))


class Recorder(Protocol):
    """Hears all that passes between two systems. `own_url` is where it listens; it is set before the first request."""

    own_url: str

    def route(self, request: Request) -> "Route | None":
        """Where a request goes."""

    def ended(self) -> Iterator[Recorded]:
        """What ended since the last call."""

    def rest(self) -> Iterator[Recorded]:
        """The same at the end of the recording, with what has not ended."""


Record = Callable[[str], Recorder]


def remember(secret: object) -> None:
    """A key that passed: it is masked in what is written."""
    if isinstance(secret, str) and len(secret) >= LONG:
        redaction.remember(secret)


def remember_headers(request: Request) -> None:
    """The keys in the headers of a request."""
    for name in ("authorization", "x-api-key", "api-key", "cookie"):
        remember((request.header(name) or "").removeprefix("Bearer ").strip())
