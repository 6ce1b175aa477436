"""What the streams of all dialects are read as: one list of events, and what could not be read as one. Data without I/O.

A reader of a dialect makes them; all checks are about them, and know no dialect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from rollout_conformance.steps.engine.json_diff import ABSENT

T = TypeVar("T")
LENGTH, STOP, EOS, CANCELLED, ERROR, UNKNOWN = "length", "stop", "eos", "cancelled", "error", "unknown"
ENDS = (LENGTH, STOP, EOS)
"""The reasons of a job that ended by itself. A model that ends its text is EOS; dialects that do not tell it from a stop text say STOP."""


@dataclass(frozen=True, slots=True)
class Started:
    """The job has begun. `at` is the place of the event in the stream, as for all of them."""

    at: int
    job_id: object = ABSENT
    model: object = ABSENT
    started_at: object = ABSENT
    seed: object = ABSENT

    name = "StartedSent"


@dataclass(frozen=True, slots=True)
class Tokens:
    """One token, or several in one event. `ids` and `logprobs` are None where the event shows none; `index` is the number that it gives to
    the token; `is_special` marks one that is no part of the text; `count` is how many tokens the event holds, where that is known;
    `alternatives` are the log probabilities of other likely tokens at the place of each one, by their ids."""

    at: int
    text: str = ""
    ids: tuple[int, ...] | None = None
    logprobs: tuple[float | None, ...] | None = None
    index: object = ABSENT
    is_special: bool = False
    count: int | None = 1
    alternatives: tuple[Mapping[int, float], ...] | None = None

    name = "TokenSent"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counters or timings while the job runs."""

    at: int
    members: object = None

    name = "MetricsSent"


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters in an event of their own: of the generated tokens, of those of the prompt, and of both."""

    at: int
    tokens: object = ABSENT
    prompt_tokens: object = ABSENT
    total_tokens: object = ABSENT

    name = "UsageSent"


@dataclass(frozen=True, slots=True)
class End:
    """The job ended. `reason` is one of the words above, `written` the one of the dialect; `tokens` the final counter, `text` the whole
    text where the event has it; `matched` the stop text that it names; `seed` the one that was used; `prompt_tokens` the counter of the
    prompt, `cached_tokens` how many of them were not computed again."""

    at: int
    reason: str
    written: object
    tokens: object = ABSENT
    text: str | None = None
    matched: object = ABSENT
    seed: object = ABSENT
    elapsed_ms: object = ABSENT
    weight_versions: object = ABSENT
    prompt_tokens: object = ABSENT
    cached_tokens: object = ABSENT

    @property
    def name(self) -> str:
        return "CancelSent" if self.reason == CANCELLED else "EndSent"


@dataclass(frozen=True, slots=True)
class Failure:
    """The job failed, or was cancelled where the dialect reports that as an error."""

    at: int
    code: object = ABSENT
    message: object = ABSENT
    retriable: object = ABSENT
    is_cancel: bool = False

    @property
    def name(self) -> str:
        return "CancelSent" if self.is_cancel else "ErrorSent"


@dataclass(frozen=True, slots=True)
class Marker:
    """data: [DONE]"""

    at: int

    name = "MarkerSent"


Event = Started | Tokens | Metrics | Usage | End | Failure | Marker


@dataclass(frozen=True, slots=True)
class Breach:
    """What cannot be read as the dialect writes it: the requirement that is broken, what was expected and what was there."""

    requirement: str
    expected: str
    observed: str


@dataclass(frozen=True)
class Transcript:
    """A stream, or the response that is none, as the checks read it. `prompt_logprobs` has an entry for each token of the prompt, by its
    id; None for one without a log probability."""

    events: tuple[Event, ...] = ()
    breaches: tuple[Breach, ...] = ()
    prompt_ids: tuple[int, ...] | None = field(default=None)
    prompt_logprobs: tuple[Mapping[int, float] | None, ...] | None = field(default=None)

    @cached_property
    def tokens(self) -> tuple[Tokens, ...]:
        return tuple(one for one in self.events if isinstance(one, Tokens))

    @cached_property
    def started(self) -> Started | None:
        return next((one for one in self.events if isinstance(one, Started)), None)

    @cached_property
    def terminals(self) -> tuple[End | Failure, ...]:
        return tuple(one for one in self.events if isinstance(one, End | Failure))

    @cached_property
    def end(self) -> End | None:
        """The end of the job, where it ended by itself or was cancelled."""
        return next((one for one in self.events if isinstance(one, End)), None)

    @cached_property
    def failure(self) -> Failure | None:
        return next((one for one in self.events if isinstance(one, Failure)), None)

    @property
    def reason(self) -> str | None:
        """Why the job ended; None while nothing shows it."""
        if not self.terminals:
            return None
        last = self.terminals[0]
        if isinstance(last, End):
            return last.reason
        return CANCELLED if last.is_cancel else ERROR

    @property
    def is_complete(self) -> bool:
        """Whether the job ended by itself."""
        return self.reason in ENDS

    @cached_property
    def joined(self) -> str:
        """The text of all tokens, one after the other."""
        return "".join(one.text for one in self.tokens if not one.is_special)

    @cached_property
    def token_texts(self) -> tuple[str, ...]:
        """The text of each token. An event with several ids and one character that is not ASCII has all tokens that the character is divided
        between. What each token of another event with several has cannot be seen, and such an event counts as one."""
        return tuple(text for one in self.tokens for text in _texts(one))

    @cached_property
    def text(self) -> str:
        """The text of the job: the whole one where its end has it, else that of its tokens."""
        return self.end.text if self.end and self.end.text is not None else self.joined

    @cached_property
    def ids(self) -> tuple[int, ...] | None:
        """The ids of all tokens, None where the worker shows none."""
        return _all([one.ids for one in self.tokens])

    @cached_property
    def logprobs(self) -> tuple[float | None, ...] | None:
        return _all([one.logprobs for one in self.tokens])

    @cached_property
    def alternatives(self) -> tuple[Mapping[int, float], ...] | None:
        """Of all tokens, None where the worker shows none."""
        return _all([one.alternatives for one in self.tokens])

    @cached_property
    def count(self) -> int | None:
        """How many tokens the events hold, where each shows it."""
        counts = [len(one.ids) if one.ids is not None else one.count for one in self.tokens]
        return sum(one for one in counts if one is not None) if None not in counts else None

    @cached_property
    def seed(self) -> object:
        """The seed that the worker reports, at the beginning or at the end."""
        found = [one.seed for one in (self.started, self.end) if one is not None and one.seed not in (ABSENT, None)]
        return found[0] if found else ABSENT


def _all(parts: Sequence[tuple[T, ...] | None]) -> tuple[T, ...] | None:
    if not parts or any(part is None for part in parts):
        return None
    return tuple(one for part in parts for one in part or ())


def _texts(one: Tokens) -> tuple[str, ...]:
    text = "" if one.is_special else one.text
    divided = not text or (len(text) == 1 and not text.isascii())
    return (*[""] * (len(one.ids) - 1 if one.ids and divided else 0), text)
