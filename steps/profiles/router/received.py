"""What a client received, as a message shows it: the status, and the body whatever it is."""

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.chat.responses import ChatResponse

EXPLAINS = ("error", "message", "detail", "title", "errors")  # OpenAI, FastAPI, RFC 9457 and others


def received(reply: ChatResponse) -> str:
    if reply.status is None:
        return "no answer"
    if isinstance(reply.body, NotJson) or reply.body is None:
        return f"{reply.status}: {show(reply.raw.decode('utf-8', 'replace')) if reply.raw else 'no body'}"
    return f"{reply.status}: {show(reply.body)}"


def explained(reply: ChatResponse) -> bool:
    """Whether the body says in JSON what is wrong, by any of the names that are usual for it."""
    return any(reply.fields.get(name) for name in EXPLAINS)
