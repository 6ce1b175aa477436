"""Defects that were reported of public agents and of the libraries that they use; contracts/rollout/reports.yaml names the reports."""

import json
from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_request
from rollout_conformance.rollout_server.rollout import generation, retry, tools

Message = dict[str, Any]
Body = dict[str, Any]


def _each(change: Callable[[Message], Message]) -> Patch:
    """Change every message of the history."""
    changed: Patch = change_request(lambda body, rollout: {**body, "messages": [*map(change, body["messages"])]})
    return changed


def _parsed(message: Message) -> Message:
    """A content that begins like a list of parts is read as one."""
    content = message.get("content")
    if not isinstance(content, str) or not content.lstrip().startswith("["):
        return message
    try:
        return {**message, "content": json.loads(content)}
    except ValueError:
        return message


def _stripped(message: Message) -> Message:
    content = message.get("content")
    return {**message, "content": content.strip()} if message["role"] == "assistant" and content else message


def _ascii(message: Message) -> Message:
    content = message.get("content")
    return {**message, "content": content.encode("ascii", "ignore").decode()} if isinstance(content, str) else message


def _calls_as_content(message: Message) -> Message:
    if not message.get("tool_calls") or message.get("content"):
        return message
    return {**message, "content": json.dumps(message["tool_calls"][0]["function"])}


def _new_ids(body: Body, rollout: Any) -> Body:
    """The calls of the history get other ids in each request, and the results refer to them."""
    known: dict[str, str] = {}
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            call["id"] = known[call["id"]] = f"call_{len(body['messages'])}_{len(known)}"
        if message.get("tool_call_id") in known:
            message["tool_call_id"] = known[message["tool_call_id"]]
    return body


NEWEST_SYSTEM: list[Message] = []


def _system_of_the_newest(body: Body, rollout: Any) -> Body:
    """The instructions of an agent that all rollouts share are those of the newest one."""
    own = [one for one in body["messages"] if one["role"] == "system"]
    if own and not rollout.counters.llm_calls:
        NEWEST_SYSTEM[:] = own[:1]
    changed = [NEWEST_SYSTEM[0] if one["role"] == "system" and NEWEST_SYSTEM else one for one in body["messages"]]
    return {**body, "messages": changed}


async def _continued(original: Any, rollout: Any, app_state: Any) -> Any:
    """A text that the token limit cut is continued in another turn, which the user requests."""
    reply = await original(rollout, app_state)
    if reply.finish_reason != "length" or reply.calls:
        return reply
    rollout.history = [*rollout.history, reply.message, {"role": "user", "content": "Continue."}]
    return await original(rollout, app_state)


def _own_delay(original: Any, policy: Any, attempt: int, retry_after: str | None) -> Any:
    return original(policy, attempt, None)


def _spread(original: Any, box: Any, name: str, arguments: Any) -> Any:
    if not isinstance(arguments, dict):
        raise TypeError("the argument after ** must be a mapping")
    return original(box, name, arguments)


def _not_empty(original: Any, arguments: Any) -> Any:
    if arguments == "":
        raise json.JSONDecodeError("Expecting value", "", 0)
    return original(arguments)


MUTANTS = (
    Mutant(
        "contents_parsed",
        breaks="049",
        also=("048", "050", "055", "058", "112"),
        what="a content that is the text of a JSON array becomes the array",
        patch=_each(_parsed),
    ),
    Mutant(
        "contents_stripped",
        breaks="049",
        also=("050", "055", "058", "112"),
        what="white space around the text of the assistant is removed in later requests",
        patch=_each(_stripped),
    ),
    Mutant(
        "contents_in_ascii",
        breaks="049",
        also=("050", "055", "058", "112", "117"),
        what="characters outside ASCII are removed from the history",
        patch=_each(_ascii),
    ),
    Mutant(
        "calls_as_content",
        breaks="049",
        also=("*",),
        what="the content of a message with calls and without text is the JSON of its call",
        patch=_each(_calls_as_content),
    ),
    Mutant(
        "call_ids_made_anew",
        breaks="049",
        also=("*",),
        what="the calls of the history get other ids in each request",
        patch=change_request(_new_ids),
    ),
    Mutant(
        "system_of_the_newest",
        breaks="159",
        also=("*",),
        what="the system message of each rollout is that of the newest one",
        patch=change_request(_system_of_the_newest),
    ),
    Mutant(
        "text_continued",
        breaks="112",
        what="a text that the token limit cut is continued after another message of the user",
        patch=around(generation, "generate", _continued),
    ),
    Mutant(
        "retry_after_not_read",
        breaks="085",
        what="a request is repeated before the time of Retry-After",
        patch=around(retry, "delay", _own_delay),
        dialects=CALLBACK,
    ),
    Mutant(
        "arguments_spread",
        breaks="099",
        also=("289",),
        what="arguments that are JSON and no object end the rollout",
        patch=around(tools, "execute", _spread),
    ),
    Mutant(
        "empty_arguments_fatal",
        breaks="098",
        what="empty arguments end the rollout",
        patch=around(tools, "read_arguments", _not_empty),
    ),
    Mutant(
        "failures_untold",
        breaks="099",
        also=("093", "095", "097", "098", "100", "101", "102", "107", "108", "289"),
        what="the result of a call that failed is empty",
        patch=put(tools, "error_content", lambda message: ""),
    ),
)
