"""What the native dialects of inference engines have in common: a request becomes a job, a stream of `data:` lines, or one response."""

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Ranking, Token
from rollout_conformance.rollout_server.worker.scheduler import Scheduler

M = TypeVar("M", bound=BaseModel)

SEEDS = 2**64
MOST_SAMPLES = 128
OF_SAMPLE = "/sample-"  # between the id of a request and the number of another sample of its prompt
SEED_BITS = 32  # of a generated seed: every JSON library reads it exactly
STATUSES = {"VRAM_OOM": 503, "WORKER_UNHEALTHY": 503, "INFERENCE_TIMEOUT": 503}  # of a failed job; else 500


@dataclass(slots=True)
class Result:
    """All events of a job. `scores` are those of its prompt, if it asked for them."""

    tokens: list[Token] = field(default_factory=list)
    scores: tuple[Ranking, ...] = ()
    ended: Ended | None = None
    failed: Failed | None = None

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def ids(self) -> list[int]:
        return [token.scored.id for token in self.tokens]


class Writer(Protocol):
    """The events of one job in the words of a dialect: as they happen, or all in one body. `whole` raises `JobError` for a failure."""

    def opening(self) -> Iterator[bytes]: ...

    def event(self, happened: Event) -> Iterator[bytes]: ...

    def whole(self, result: Result) -> Any: ...


@dataclass(frozen=True, slots=True)
class Asked:
    job: Job
    streams: bool
    writer: Writer


def one_prompt(body: Any) -> list[Any]:
    return [body]


@dataclass(frozen=True, slots=True)
class NativeDialect:
    """`ask` raises `JobError`; `error` gives the status and the body of what is rejected; `parts` the request for each of several outputs,
    and `joined` the body of the response to all of them."""

    ask: Callable[[Any, Scheduler], Asked]
    error: Callable[[JobError], tuple[int, Any]]
    parts: Callable[[Any], list[Any]] = one_prompt
    joined: Callable[[Sequence[Any]], Any] = list


def samples(body: Any, count: str, seed: str, id: str = "", within: str = "") -> list[Any]:
    """The request for each sample of a prompt: `count`, `seed` and `id` are the names of their members. A given seed is that of the first
    one, whose id is that of the request; what is no count is left for the request to be rejected."""
    params = body.get(within, {}) if isinstance(body, Mapping) and within else body
    wanted = params.get(count) if isinstance(params, Mapping) else None
    if type(wanted) is not int or not 1 < wanted <= MOST_SAMPLES:
        return [body]
    changed = [{**params, count: 1, seed: seed_of_sample(params.get(seed), n)} for n in range(wanted)]
    bodies = [{**body, within: one} if within else one for one in changed]
    own = body.get(id)
    return [{**one, id: sample_id(own, n)} for n, one in enumerate(bodies)] if isinstance(own, str) else bodies


def seed_of_sample(given: Any, n: int) -> Any:
    return given + n if type(given) is int and given >= 0 else given


def sample_id(id: str, n: int) -> str:
    return f"{id}{OF_SAMPLE}{n}" if n else id


def parsed(model: type[M], body: Any) -> M:
    """Raises `JobError` 400 with the first violation as its message."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(one) for one in first["loc"]) or "body"
        raise refused(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


def refused(message: str) -> JobError:
    return JobError(400, "INVALID_REQUEST", message)


def new_id() -> str:
    return uuid.uuid4().hex


def seed_of(given: int | None) -> int:
    """The seed of the sampler; a generated one where the request has none."""
    return secrets.randbits(SEED_BITS) if given is None else given % SEEDS


def known(ids: Sequence[int], scheduler: Scheduler) -> tuple[int, ...]:
    """Token ids of a request. Raises `JobError` for one that the model does not have."""
    unknown = next((id for id in ids if id >= scheduler.model.vocab_size), None)
    if unknown is not None:
        raise refused(f"Token id {unknown} is out of vocabulary")
    return tuple(ids)


def room(prompt: Sequence[int], scheduler: Scheduler) -> int:
    """How many tokens the context leaves for the output. Raises `JobError` for none."""
    free = scheduler.model.context_length - len(prompt)
    if free < 1:
        raise refused(f"The prompt leaves no room in the context of {scheduler.model.context_length} tokens")
    return free


def within(max_tokens: int, prompt: Sequence[int], scheduler: Scheduler) -> int:
    """Raises `JobError` when prompt and output exceed the context."""
    free = room(prompt, scheduler)
    if max_tokens > free:
        raise refused(f"The context leaves {free} tokens for the output")
    return max_tokens


def positive(top_k: int) -> int:
    """-1 and 0 restrict nothing."""
    return max(top_k, 0)


def failure(failed: Failed) -> JobError:
    return JobError(STATUSES.get(failed.code, 500), failed.code, failed.message)


def add(result: Result, event: Event) -> None:
    if isinstance(event, Token):
        result.tokens.append(event)
    elif isinstance(event, Ended):
        result.ended = event
    elif isinstance(event, Failed):
        result.failed = event
    else:
        result.scores = event.scores


def rejected_json(error: JobError) -> dict[str, Any]:
    """The members of a rejection that OpenAI's error object has, with its number as the code."""
    return {"message": error.message, "type": KINDS.get(error.status, "server_error"), "code": error.status}


KINDS = {400: "invalid_request_error", 409: "invalid_request_error", 413: "invalid_request_error"}
