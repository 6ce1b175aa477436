"""Verbs below the meaning of a call: any request, a request once more, a future that is read again, and the wait for results."""

import asyncio
import json as json_text
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import NULL, NamedRequest
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import (
    HANDED,
    Meaning,
    headers_of,
    keep,
    poll,
    response_named,
    sent,
    with_result,
)
from rollout_conformance.steps.profiles.training.checkpoints import path_of
from rollout_conformance.steps.profiles.training.context import RIGHT, Stopped, TrainingSession, book_of
from rollout_conformance.steps.profiles.training.listing_expectations import made_by
from rollout_conformance.steps.profiles.training.models import model_of
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Call

PLACEHOLDER = re.compile(r"\{(model|future|path|checkpoint|sampler|session|base|run|key|made)(?::([\w ]+))?\}")


def _session_id(session: TrainingSession, name: str) -> str:
    client = book_of(session).clients.get(name or RIGHT)
    if client is None:
        raise Stopped("a session")
    return client.session_id


def _future(session: TrainingSession, name: str) -> str:
    found = response_named(session, name)
    if found is None or not found.request_id:
        raise Stopped(f"the future of {name}")
    return found.request_id


def _sampler(session: TrainingSession, name: str) -> str:
    """The id of a sampling session, or the path where the snapshot has one."""
    found = book_of(session).samplers.get(name)
    if found is None:
        raise Stopped(f"the snapshot {name}")
    return str(next(iter(found.members.values())))


def _made(session: TrainingSession, name: str) -> str:
    """The id of what a call of the case made."""
    found = response_named(session, name)
    id = made_by(found) if found else ""
    if not id:
        raise Stopped(f"what {name} made")
    return id


VALUES: Mapping[str, Callable[[TrainingSession, str], str]] = {
    "model": lambda session, name: model_of(session, name or "a").id,
    "future": _future,
    "path": path_of,
    "checkpoint": lambda session, name: "/".join(path_of(session, name).split("/")[-2:]),
    "sampler": _sampler,
    "key": lambda session, name: session.context.key(name or RIGHT) or "",
    "session": _session_id,
    "base": lambda session, name: session.context.model,
    "run": lambda session, name: session.context.run,
    "made": _made,
}


def in_json(value: str) -> str:
    return json_text.dumps(value)[1:-1]


def in_path(value: str) -> str:
    """As segments of a path: the name of a checkpoint is two of them."""
    return "/".join(map(path_segment, value.split("/")))


def filled_in(session: TrainingSession, text: str, written: Callable[[str], str] = in_json) -> str:
    """A text with the values of its placeholders, each as `written` has it: as it stands in JSON, or in a path."""

    def value(found: "re.Match[str]") -> str:
        return written(VALUES[found[1]](session, found[2] or ""))

    return PLACEHOLDER.sub(value, text)


def zstd_frame(mib: int, body: bytes) -> bytes:
    """A zstd frame (RFC 8878) of so many MiB of spaces, in blocks of 128 KiB that are one repeated byte, and a body after them."""
    block = 1 << 17
    count = mib * (1 << 20) // block
    header = b"\x28\xb5\x2f\xfd\x00\x38"  # no content size, a window of 128 KiB
    repeated = (block << 3 | 1 << 1).to_bytes(3, "little") + b" "
    last = (len(body) << 3 | 1).to_bytes(3, "little") + body
    return header + repeated * count + last


A_STEP = {"method": "POST", "path": "/runs/{model:a}/optim_step", "key": "other", "json": "learning_rate: 0.1"}


@verb(
    "send",
    short="path",
    example=(
        "/models",
        "{method: POST, path: /api/v1/forward, raw: '[1]'}",
        "{path: '/runs/{model:a}/status', key: other}",
    ),
)
@phrase("the client sends {method:word} {path:path}")
@phrase("the client sends {method:word} {path:path} with the key {key:word}")
@phrase("the client sends {method:word} {path:path} with this body:", block="json", example=A_STEP)
@phrase("the client sends {method:word} {path:path} as {name:word}")
@phrase(
    "the tenant {key:word} sends {method:word} {path:path} as {name:word} with this body:", block="json", example=A_STEP
)
@phrase("the client sends {method:word} {path:path} as {name:word} with this body:", block="json", example=A_STEP)
@dataclass(frozen=True, slots=True)
class Send(NamedRequest):
    """Send any request. In its path, its body and its headers {model:a}, {future:NAME}, {path:NAME}, {sampler:NAME}, {session},
    {base}, {run} and {key} stand for values of the case; {checkpoint:NAME} for the last two parts of a path, {made:NAME} for the id of what a call
    made."""

    path: str
    "Path and query."
    method: str = "GET"
    json: Annotated[object, Written(lambda value: NULL if value is None else value)] = None
    "The body as JSON."
    raw: str = ""
    "The body as text, sent byte for byte."
    key: str = RIGHT
    "The API key: right, none, wrong, longer, latin (not ASCII), or the name of a key on the card."
    headers: Mapping[str, str] = field(default_factory=dict)
    "More headers; one named as a header of the key replaces it."
    size: int = 0
    "White space is added to the body until it has so many bytes."
    zstd_mib: int = 0
    "The body is a zstd frame of a few KiB that unpacks to so many MiB of spaces before it."
    follow: bool = True
    "Whether a future that the response names is waited for."

    def __post_init__(self) -> None:
        """Raises `ValueError` for what no server can be blamed for."""
        if not self.path.startswith("/"):
            raise ValueError(f"path: {self.path!r} does not begin with /")
        if self.raw and self.json is not None:
            raise ValueError("raw and json: a request has one body; write one of them")

    async def perform(self, session: TrainingSession) -> None:
        name = responses_of(session).reserve(self.name)
        written = self.raw if self.json is None else json_text.dumps(None if self.json is NULL else self.json)
        path, encoded = session.context.wire.posted(
            filled_in(session, self.path, in_path), filled_in(session, written).encode()
        )
        body = encoded.body
        if self.zstd_mib:
            body = zstd_frame(self.zstd_mib, body)
        given = {
            **({"content-encoding": "zstd"} if self.zstd_mib else {}),
            **dict(headers_of(session, self.key, encoded.content_type)),
            **{key.lower(): filled_in(session, one) for key, one in self.headers.items()},
        }
        request = Request(
            self.method,
            path,
            tuple(given.items()),
            body + b" " * max(0, self.size - len(body)),
        )
        n = await session.send(request, rollout=HANDED)
        response = keep(session, name, session.trace.exchanges[n], Call(request.path), Meaning("send"))
        request_id = session.context.wire.request_id(response)
        if request_id and self.follow and not session.context.wire.pending(response):
            await poll(session, replace(response, request_id=request_id, submit=response), self.key)


@verb("resend", short="of", example=("first", "{of: step, name: again}"))
@phrase("the client sends {of:response} again")
@dataclass(frozen=True, slots=True)
class Resend(NamedRequest):
    """Send the request of an earlier call once more, byte for byte, as a client does whose connection was lost."""

    of: ResponseName = "it"
    "The response to the earlier call."

    async def perform(self, session: TrainingSession) -> None:
        earlier = response_named(session, self.of)
        name = responses_of(session).reserve(self.name)
        if earlier is None:
            raise Stopped(f"the call {self.of}")
        request = session.trace.exchanges[(earlier.submit or earlier).n].request
        n = await session.send(request, rollout=HANDED)
        exchange = session.trace.exchanges[n]
        empty = replace(earlier, name=name, submit=None, request_id="")
        response = with_result(empty, exchange, session)
        responses_of(session).keep(response)
        request_id = session.context.wire.request_id(response)
        if request_id:
            await poll(session, replace(response, request_id=request_id, submit=response), _key_of(session, earlier))


@verb("read_again", short="of", example=("first", "{of: step, name: again, key: other}"))
@phrase("the client reads the result of {of:response} again")
@dataclass(frozen=True, slots=True)
class ReadAgain(NamedRequest):
    """Read the future of an earlier call again."""

    of: ResponseName = "it"
    "The response to the earlier call."
    key: str = ""
    "The key that it is sent with; default: that of the call."

    async def perform(self, session: TrainingSession) -> None:
        earlier = response_named(session, self.of)
        name = responses_of(session).reserve(self.name)
        if earlier is None or not earlier.request_id:
            raise Stopped(f"the future of {self.of}")
        key = self.key or _key_of(session, earlier)
        exchange = await sent(session, session.context.wire.poll(earlier.request_id), key)
        found: TrainingResponse = with_result(replace(earlier, name=name, submit=None), exchange, session)
        responses_of(session).keep(found)


def _key_of(session: TrainingSession, response: TrainingResponse) -> str:
    model = book_of(session).models.get(response.model)
    return model.key if model else RIGHT


@verb("results")
@phrase("all results have arrived")
@dataclass(frozen=True, slots=True)
class Results:
    """Wait for the results of all calls that were sent without waiting."""

    async def perform(self, session: TrainingSession) -> None:
        await asyncio.gather(*session.tasks)
