"""Generated requests of the dialect `tinker`: messages of protobuf that the contract allows or does not, and such as are damaged on their way.

All of them are forwards, so that none may change a model. A damaged message that could still be read as a call that trains is not sent: what it
would do to the model is right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import COPY, responses_of
from rollout_conformance.steps.profiles.training import protobuf
from rollout_conformance.steps.profiles.training.calls import HANDED, Meaning, headers_of, keep, poll
from rollout_conformance.steps.profiles.training.context import Model, TrainingSession
from rollout_conformance.steps.profiles.training.models import model_of
from rollout_conformance.steps.profiles.training.raw_requests import zstd_frame
from rollout_conformance.steps.profiles.training.wire import Call
from rollout_conformance.steps.profiles.training.wire_tinker import FORWARD_BACKWARD

Kind = Literal[
    "valid",
    "with unknown members",
    "any message",
    "with changed members",
    "cut",
    "with changed bytes",
    "any bytes",
    "of another content type",
    "of another encoding",
]
UNREAD = ("of another content type", "of another encoding")  # a server may reject them by their headers alone
REQUEST = "ForwardBackwardRequest"
MOST = 500
CONTENT_TYPES = ("application/json", "text/plain", "application/octet-stream", "application/x-protobuf; a=b", "x", "")
ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "zstd": lambda body: zstd_frame(0, body),
    "gzip": lambda body: body,  # what is sent has not this encoding
    "zstd ": lambda body: body,
    "deflate": lambda body: body,
    "x-none": lambda body: body,
    "gzip, zstd": lambda body: body,
}


@verb("generated_messages", short="kind", example=("cut", "{kind: any message, times: 20, name: sent}"))
@dataclass(frozen=True, slots=True)
class GeneratedMessages(NamedRequest):
    """Send generated requests for a forward in protobuf, one after the other. Which ones depends on the kind and the seed alone."""

    kind: Kind
    "What is generated."
    times: int = 20
    "How many are sent at most; the responses are called name#1, name#2 and so on."
    seed: int = 0
    "Another seed generates others."
    model: str = "a"
    "The model of the case that they are about."

    def __post_init__(self) -> None:
        """Raises `ValueError`."""
        if not 1 <= self.times <= MOST:
            raise ValueError(f"times: {self.times} is not 1 to {MOST}")

    async def perform(self, session: TrainingSession) -> None:
        from rollout_conformance.steps.profiles.training import message_strategies  # Hypothesis takes long to load

        name = responses_of(session).reserve(self.name)
        model = model_of(session, self.model)
        spent = False
        for nth, made in enumerate(message_strategies.drawn(self.kind, self.times, self.seed)):
            headers, body = encoded(self.kind, nth, made.of(model.id, model.next_seq))
            if may_be_sent(body, model):
                was_taken = await self._sent(session, f"{name}{COPY}{nth + 1}", model, headers, body)
                spent = not was_taken and (spent or is_about(body, model))
        if spent and self.kind not in UNREAD:
            model.take(None)  # of a message that was rejected: its number may be spent, and may be reused, but need not

    async def _sent(
        self, session: TrainingSession, name: str, model: Model, more: Mapping[str, str], body: bytes
    ) -> bool:
        """Whether the number of the call belongs to it now."""
        headers = {**dict(headers_of(session, model.key, CONTENT_TYPE)), **more}
        request = Request("POST", FORWARD_BACKWARD, tuple(one for one in headers.items() if one[1]), body)
        n = await session.send(request, rollout=HANDED)
        call = Call(FORWARD_BACKWARD, future=True)
        response = keep(session, name, session.trace.exchanges[n], call, Meaning("forward", self.model))
        request_id = session.context.wire.request_id(response)
        if request_id:
            await poll(session, replace(response, request_id=request_id, submit=response), model.key)
        if was_taken := bool(request_id) or response.status == 409:
            model.take(None)
        return was_taken


def encoded(kind: Kind, nth: int, body: bytes) -> tuple[Mapping[str, str], bytes]:
    """The headers and the body of the nth request of this kind."""
    if kind == "of another content type":
        return {"content-type": CONTENT_TYPES[nth % len(CONTENT_TYPES)]}, body
    if kind == "of another encoding":
        encoding = list(ENCODINGS)[nth % len(ENCODINGS)]
        return {"content-encoding": encoding.strip()}, ENCODINGS[encoding](body)
    return {}, body


def _read(body: bytes) -> Any | None:
    try:
        return protobuf.decoded(REQUEST, body)
    except ValueError:
        return None


def is_about(body: bytes, model: Model) -> bool:
    """Whether a server that reads the body finds the next call of this model."""
    found = _read(body)
    return found is not None and found.model_id == model.id and found.seq_id == model.next_seq


def may_be_sent(body: bytes, model: Model) -> bool:
    """Not what trains, and not what has a number of a later call."""
    found = _read(body)
    return found is None or found.model_id != model.id or (is_about(body, model) and found.forward_only)
