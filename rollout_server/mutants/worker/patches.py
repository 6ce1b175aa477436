"""What several mutants of the worker have in common: their dialects, and changes of what a dialect writes or reads."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import CASES, Mutant, Patch, after, around, put
from rollout_conformance.rollout_server.worker import orcd_events, orcd_requests
from rollout_conformance.rollout_server.worker.jobs import Event
from rollout_conformance.rollout_server.worker.llamacpp import LlamaWriter
from rollout_conformance.rollout_server.worker.orcd_events import OrcdStream
from rollout_conformance.rollout_server.worker.sglang import SglangWriter
from rollout_conformance.rollout_server.worker.tgi import TgiWriter
from rollout_conformance.rollout_server.worker.vllm_generate import VllmWriter

ORCD, VLLM, SGLANG, TGI, LLAMA = ("orcd",), ("vllm-generate",), ("sglang",), ("tgi",), ("llamacpp",)
ALL = (*ORCD, *VLLM, *SGLANG, *TGI, *LLAMA)
WITH_TEXT = (*ORCD, *SGLANG, *TGI, *LLAMA)
WITH_CANCEL = (*ORCD, *VLLM, *SGLANG)
WITH_MATCHED = (*ORCD, *VLLM, *SGLANG, *LLAMA)

Body = dict[str, Any]
Writing = Callable[[Any, Event], Iterator[bytes]]
WRITERS = (OrcdStream, VllmWriter, SglangWriter, TgiWriter, LlamaWriter)


def mutant(
    name: str, breaks: str, what: str, patch: Patch, dialects: tuple[str, ...], *also: str, by: str = CASES
) -> Mutant:
    """One defect as a row of a table; the members are those of `Mutant`."""
    return Mutant(name, breaks=breaks, also=also, what=what, patch=patch, dialects=dialects, by=by)


def body(name: str, change: Callable[[Body], Body]) -> Patch:
    """Change the body of the event that this function of `orcd_events` makes."""
    return after(orcd_events, name, change)


def without(*names: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name not in names}


def member(name: str, value: Any) -> Callable[[Body], Body]:
    """Replace a member that is there."""
    return lambda body: body | ({name: value} if name in body else {})


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Body], Body]:
    """Change the value of a member that is there."""
    return lambda body: body | ({name: change(body[name])} if name in body else {})


def writing(change: Callable[[Writing, Any, Event], Iterator[bytes]]) -> Patch:
    """Change what every dialect writes for an event, to `change(original, writer, event)`."""
    patches = [around(writer, "event", change) for writer in WRITERS]

    def patch() -> None:
        for one in patches:
            one()

    return patch


def endpoint(owner: Any, name: str, change: Callable[..., Awaitable[Response]]) -> Patch:
    """Replace a method of an endpoint by `change(original, endpoint, request)`. Starlette runs what is no coroutine function in a thread."""

    def patch() -> None:
        original = getattr(owner, name)

        async def changed(self: Any, request: Request) -> Response:
            return await change(original, self, request)

        setattr(owner, name, changed)

    return patch


def execute_model(change: type) -> Patch:
    """Read the body of `POST /execute` by another model."""
    return put(orcd_requests, "ExecuteRequest", change)
