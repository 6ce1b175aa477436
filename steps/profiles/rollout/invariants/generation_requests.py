"""What a generation call looks like on the wire, apart from its history and its mask."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.rollout.invariants.common import absent_or_null, broken, same, satisfied, show
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED
from rollout_conformance.steps.profiles.rollout.view import CaseView, Chat, Post, Rollout

SAMPLING = ("temperature", "top_p", "max_tokens", "stop", "logprobs")
OWN = (
    "rollout_id",
    "messages",
    "response_mask",
    "tools",
)  # members of a generation request that are no sampling parameters
TOKENS = ("response_mask", "token_ids", "prompt_token_ids")


def requests(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        if rollout.rejected and any(name not in SAMPLING for name in rollout.given.sampling):
            yield satisfied("036")
        for chat in rollout.chats:
            yield from _address(rollout, chat, "/v1/chat/completions")
            yield from _media(chat)
            yield from _identity(rollout, chat)
            yield from _sampling(rollout, chat)
            yield from _shape(rollout, chat)
        for post in rollout.posts:
            yield from _address(rollout, post, "/v1/rollout/completed")


def _address(rollout: Rollout, call: Chat | Post, path: str) -> Iterator[Evidence]:
    asked = call.exchange.request.path
    expected = f"POST {rollout.given.path}{path}"
    if asked == rollout.given.path + path:
        yield satisfied("045" if path.endswith("completions") else "136")
        if rollout.given.base_url.endswith("/"):
            yield satisfied("025")
        if rollout.given.path:
            yield satisfied("027")
        return
    if asked.startswith("/elsewhere"):
        if call.exchange.request.header("authorization"):
            yield broken("067", "a redirect not followed with the key", f"POST {asked} with Authorization", call.n)
        return
    if "//" in asked:
        requirement = "025"
    elif rollout.given.path and not asked.startswith(rollout.given.path):
        requirement = "027"
    else:
        requirement = "045" if path.endswith("completions") else "136"
    yield broken(requirement, expected, f"POST {asked} for server_url {show(rollout.given.base_url)}", call.n)


def _media(chat: Chat) -> Iterator[Evidence]:
    media = (chat.exchange.request.header("content-type") or "none").partition(";")[0].strip().lower()
    if media != "application/json" or isinstance(chat.body, NotJson):
        observed = f"Content-Type {media}" if media != "application/json" else "a body that is not JSON"
        yield broken("045", "a JSON body with Content-Type application/json", observed, chat.n)


def _identity(rollout: Rollout, chat: Chat) -> Iterator[Evidence]:
    if not rollout.given.rollout_id:
        return
    seen = chat.fields.get("rollout_id")
    if seen is None:
        yield broken("046", f"rollout_id {show(rollout.given.rollout_id)} in the body", "no rollout_id", chat.n)
    elif seen != rollout.given.rollout_id:
        yield broken("020", f"rollout_id {show(rollout.given.rollout_id)}", f"rollout_id {show(seen)}", chat.n)
    else:
        yield satisfied("046")
        yield satisfied("020")


def _sampling(rollout: Rollout, chat: Chat) -> Iterator[Evidence]:
    for name, value in rollout.given.sampling.items():
        if name in SAMPLING:
            yield _forwarded("051", name, value, chat)
        elif name not in chat.fields:
            yield broken("036", f"{name}: {show(value)} forwarded, or the start refused", f"no {name}", chat.n)
        else:
            yield _unknown_forwarded(rollout, name, value, chat)
    if "logprobs" not in rollout.given.sampling:
        yield _logprobs(chat)


def _unknown_forwarded(rollout: Rollout, name: str, value: object, chat: Chat) -> Evidence:
    """A member that a generation request has of its own cannot be forwarded as well: then only a rejection tells the trainer."""
    found = _forwarded("036", name, value, chat)
    if name not in OWN or not isinstance(found, Finding):
        return found
    expected = (
        f"the start request rejected: its sampling parameters have {name} {show(value)}, and a generation request has a {name} of its own, "
        "so that only one of them can be sent"
    )
    observed = f"the start accepted, {name} {show(chat.fields[name])} sent: the other one is lost and nobody is told"
    return broken("036", expected, observed, chat.n, proof=tuple(start.n for start in rollout.starts[:1]))


def _forwarded(requirement: str, name: str, value: object, chat: Chat) -> Evidence:
    if value is None and absent_or_null(chat.fields, name):
        return satisfied(requirement)
    if name not in chat.fields:
        return broken(requirement, f"{name}: {show(value)} in every generation call", f"no {name}", chat.n)
    if name == "stop" and isinstance(value, str) and chat.fields[name] == [value]:
        return satisfied(requirement)  # one text and a list of that text ask for the same
    return same(requirement, value, chat.fields[name], name, chat.n)


def _logprobs(chat: Chat) -> Evidence:
    if chat.fields.get("logprobs") is True:
        return satisfied("052")
    return broken("052", "logprobs: true by default", f"logprobs: {show(chat.fields.get('logprobs'))}", chat.n)


def _shape(rollout: Rollout, chat: Chat) -> Iterator[Evidence]:
    streams = rollout.dialect in STREAMED or "stream" in rollout.given.sampling
    if not streams and chat.fields.get("stream") not in (None, False):
        yield broken("053", "no stream", f"stream: {show(chat.fields['stream'])}", chat.n)
    elif "n" not in rollout.given.sampling and chat.fields.get("n") not in (None, 1):
        yield broken("053", "one choice", f"n: {show(chat.fields['n'])}", chat.n)
    elif not {"stream", "n"} & set(
        rollout.given.sampling
    ):  # a start that asks for either has it forwarded (ROLLOUT-036)
        yield satisfied("053")
    if rollout.dialect != "sync":
        sent = [name for name in TOKENS if not absent_or_null(chat.fields, name)]
        if sent:
            yield broken("061", "no mask and no token ids", f"{sent[0]}: {show(chat.fields[sent[0]])}", chat.n)
        else:
            yield satisfied("061")
