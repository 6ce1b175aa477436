"""What holds for every reply of an engine, whatever was asked: pure functions over the replies of a case."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.live.trainer import first_difference
from rollout_conformance.steps.profiles.chat.event_order import walked
from rollout_conformance.steps.profiles.chat.replies import MOST, CaseView, Choice, Reply, functions

IN_SECONDS = 100_000_000_000  # a `created` beyond this is in milliseconds
BIG = 2**53  # no probability has a logarithm below minus this
WRONG_KEY = "rc-no-such-key"
MOST_SHOWN = 4  # values of a member that should be one
BROKEN_LETTER = "\ufffd"
BAD_REQUEST = (400, 404, 413, 422)
CHAT = "/v1/chat/completions"


def satisfied(number: int) -> Satisfied:
    return Satisfied(f"CHAT-{number:03}")


def broken(number: int, expected: str, observed: str, *exchanges: int) -> Finding:
    return Finding(f"CHAT-{number:03}", expected, observed, exchanges)


def good(view: CaseView) -> Iterator[Reply]:
    return (reply for reply in view.replies.values() if reply.good and reply.request)


def shape(view: CaseView) -> Iterator[Evidence]:
    """A reply is a chat completion."""
    for reply in good(view):
        if reply.streamed:
            continue
        body = reply.fields
        wrong = {
            name: body.get(name)
            for name, right in (
                ("object", body.get("object") == "chat.completion"),
                ("id", isinstance(body.get("id"), str) and body.get("id")),
                ("created", type(body.get("created")) is int and body["created"] < IN_SECONDS),
                ("model", isinstance(body.get("model"), str)),
                ("choices", bool(reply.choices)),
            )
            if not right
        }
        yield (
            broken(2, "object, id, created in seconds, model and choices", show(wrong), reply.n)
            if wrong
            else satisfied(2)
        )
    names = Counter(name for reply in good(view) if isinstance(name := reply.fields.get("id"), str) and name)
    again = next((name for name, count in names.items() if count > 1), None)
    if again is not None:
        yield broken(9, "an id of its own for every reply", f"{show(again)} for {names[again]} replies")
    elif len(names) > 1:
        yield satisfied(9)


def counting(view: CaseView) -> Iterator[Evidence]:
    """Usage adds up, and counts what was sampled."""
    for reply in good(view):
        usage = reply.usage
        if not usage:
            continue
        prompt, sampled, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
        if isinstance(prompt, int) and isinstance(sampled, int) and prompt + sampled == total:
            yield satisfied(10)
        else:
            yield broken(10, "total_tokens = prompt_tokens + completion_tokens", show(usage), reply.n)
        ids = [choice.ids for choice in reply.choices]
        known = [len(one) for one in ids if one is not None]
        if known and len(known) == len(ids):
            yield from _equal(11, "completion_tokens", sum(known), sampled, reply)
        if reply.prompt_ids is not None:
            yield from _equal(12, "prompt_tokens", len(reply.prompt_ids), prompt, reply)


def _equal(number: int, name: str, expected: int, observed: Any, reply: Reply) -> Iterator[Evidence]:
    yield (
        satisfied(number)
        if expected == observed
        else broken(number, f"{name}: {expected}", f"{name}: {show(observed)}", reply.n)
    )


def tokens(view: CaseView) -> Iterator[Evidence]:
    """The ids are the message, and each has its logprob."""
    for reply in good(view):
        if not reply.request.get("return_token_ids"):
            continue
        for choice in reply.choices:
            if choice.ids is None:
                yield broken(20, "token_ids, because return_token_ids is true", "none", reply.n)
                continue
            if reply.prompt_ids is None:
                yield broken(20, "prompt_token_ids, because return_token_ids is true", "none", reply.n)
            yield from _whole(view, reply, choice, choice.ids)
            yield from _logprobs(view, reply, choice, choice.ids)


def _whole(view: CaseView, reply: Reply, choice: Choice, ids: tuple[int, ...]) -> Iterator[Evidence]:
    if view.tokens is None:
        return
    text, end = view.tokens.decode(ids), view.tokens.end_of_turn
    ended = choice.finish in ("stop", "tool_calls") and not _stopped_by_string(reply, choice)
    if ended and end is not None and end not in ids:
        yield broken(20, f"the end of the turn ({end}) among the ids", f"they end with {list(ids[-4:])}", reply.n)
        return
    yield satisfied(20)
    called = list(islice(functions(choice), MOST))  # each is looked for in all of the text
    parts = dict.fromkeys([choice.content.strip(), *(name for name, _ in called)])
    # A sampled special token is left out of the content; half a letter is shown in ways of the engine's own.
    plain = view.tokens.decode(ids, special=False)
    missing = next(
        (part for part in parts if part not in text and part not in plain and BROKEN_LETTER not in part), None
    )
    if _stopped_by_string(reply, choice) or missing is None:
        yield satisfied(21)
    else:
        yield broken(21, f"ids that decode to {show(missing)}", show(text), reply.n)
    for arguments in dict.fromkeys(arguments for _, arguments in called):
        if not isinstance(parse(arguments.encode("utf-8", "replace")), dict):
            continue
        if arguments not in text:
            yield broken(22, f"arguments as sampled: {show(text)}", show(arguments), reply.n)
            return
        yield satisfied(22)


def _stopped_by_string(reply: Reply, choice: Choice) -> bool:
    return bool(reply.request.get("stop")) and choice.finish == "stop"


def _logprobs(view: CaseView, reply: Reply, choice: Choice, ids: tuple[int, ...]) -> Iterator[Evidence]:
    if not reply.request.get("logprobs"):
        return
    entries = choice.logprobs
    if entries is None or len(entries) != len(ids):
        observed = "no logprobs" if not entries else f"{len(entries)} logprobs"
        yield broken(23, f"{len(ids)} logprobs for {len(ids)} ids", observed, reply.n)
        return
    strange = next((n for n, pair in enumerate(zip(entries, ids, strict=True)) if _foreign(view, *pair)), None)
    if strange is None:
        yield satisfied(23)
    else:
        expected = f"logprob {strange} is of {show(view.tokens.decode([ids[strange]]) if view.tokens else '')}"
        yield broken(23, expected, f"it says it is of {show(entries[strange].get('token'))}", reply.n)
    yield from probabilities(reply, entries)


def probabilities(reply: Reply, entries: list[Mapping[str, Any]]) -> Iterator[Evidence]:
    values = [entry.get("logprob") for entry in entries]
    wrong = [value for value in values if not _is_logprob(value)]
    yield broken(24, "finite logprobs, none above 0", show(wrong[:3]), reply.n) if wrong else satisfied(24)


def _is_logprob(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -BIG < value <= 0


def _foreign(view: CaseView, entry: Mapping[str, Any], token: int) -> bool:
    """Whether an entry names the text of another token. What is no ASCII, or markup, engines spell in ways of their own."""
    if view.tokens is None:
        return False
    text, told = view.tokens.decode([token]), entry.get("token")
    plain = text.isascii() and not text.startswith("<|") and isinstance(told, str) and told.isascii() and told != ""
    return plain and told != text


def prompts(view: CaseView) -> Iterator[Evidence]:
    """The prompt is that of the template, and each turn's begins with what was there before."""
    for reply in good(view):
        if reply.prompt_ids is None:
            continue
        if view.tokens is not None and reply.asked and not reply.rewritten and "tool_choice" not in reply.request:
            yield from _rendered(view, reply, reply.prompt_ids)
        before = _before(view, reply)
        if before is not None and before.prompt_ids is not None and before.choices[0].ids is not None:
            yield from _extends(view, before, reply)


def _rendered(view: CaseView, reply: Reply, ids: tuple[int, ...]) -> Iterator[Evidence]:
    assert view.tokens is not None
    ours = tuple(view.tokens.prompt_ids(reply.asked, reply.request.get("tools")))
    if ours == ids:
        yield satisfied(25)
    else:
        yield broken(25, *_place(view, ours, ids), reply.n)


def _place(view: CaseView, ours: tuple[int, ...], theirs: tuple[int, ...]) -> tuple[str, str]:
    """The first position that differs, with the ids and the texts around it, ours and theirs."""
    at = first_difference(ours, theirs)
    around = slice(max(0, at - 3), at + 9)
    told = [
        f"{list(part[around])} {show(view.tokens.decode(part[around]) if view.tokens else '')}"
        for part in (ours, theirs)
    ]
    return f"position {at} of {len(ours)}: {told[0]}", f"position {at} of {len(theirs)}: {told[1]}"


def _before(view: CaseView, reply: Reply) -> Reply | None:
    """The reply that this one goes on from: its messages and what it said are the beginning of the conversation."""
    found = None
    for other in good(view):
        messages = other.asked
        longer = len(reply.asked) > len(messages)
        if other.n < reply.n and longer and reply.asked[: len(messages)] == messages and other.choices:
            answer = reply.asked[len(messages)]
            if answer.get("role") == "assistant" and answer.get("content") == other.choices[0].message.get("content"):
                found = other if found is None or len(messages) > len(found.asked) else found
    return found


def _extends(view: CaseView, before: Reply, reply: Reply) -> Iterator[Evidence]:
    whole = (before.prompt_ids or ()) + (before.choices[0].ids or ())
    now = reply.prompt_ids or ()
    if now[: len(whole)] == whole:
        yield satisfied(26)
    else:
        yield broken(26, *_place(view, whole, now), before.n, reply.n)


def endings(view: CaseView) -> Iterator[Evidence]:
    """A turn ends as its finish_reason says. That a stream never says one is for the order of its chunks (CHAT-051)."""
    for reply in good(view):
        named = isinstance(reply.request.get("tool_choice"), Mapping)
        choices = reply.choices
        for choice in choices:
            if reply.chunks and choice.finish is None:
                continue
            right = _right_endings(view, reply, choice, alone=len(choices) == 1)
            if choice.finish in sorted(right) or (named and choice.calls and choice.finish == "stop"):
                yield satisfied(38)
            else:
                yield broken(38, f"finish_reason {' or '.join(sorted(right))}", show(choice.finish), reply.n)


def _right_endings(view: CaseView, reply: Reply, choice: Choice, alone: bool) -> set[str]:
    most = reply.request.get("max_completion_tokens") or reply.request.get("max_tokens")
    end = view.tokens.end_of_turn if view.tokens else None
    sampled = reply.usage.get("completion_tokens") if alone else None
    if choice.ids is None and isinstance(sampled, int) and isinstance(most, int) and sampled < most:
        return {"tool_calls"} if choice.calls else {"stop"}
    if choice.ids is not None and end is not None and isinstance(most, int):
        ended = end in choice.ids and reply.request.get("ignore_eos") is not True
        cut = len(choice.ids) >= most and not ended and not _ends_in_stop(view, reply, choice)
        if cut:
            return {"length"}
        return {"tool_calls"} if choice.calls else {"stop"}
    return {"tool_calls", "length"} if choice.calls else {"stop", "length"}


def _ends_in_stop(view: CaseView, reply: Reply, choice: Choice) -> bool:
    stops = reply.request.get("stop") or []
    text = view.tokens.decode(choice.ids or ()) if view.tokens else ""
    return any(stop in text for stop in ([stops] if isinstance(stops, str) else stops))


def calls(view: CaseView) -> Iterator[Evidence]:
    """A call has an id that no earlier call of its conversation has."""
    for reply in good(view):
        earlier = {
            str(call.get("id")) for message in mappings(reply.asked) for call in mappings(message.get("tool_calls"))
        }
        for choice in reply.choices:
            again = [call.get("id") for call in choice.calls if str(call.get("id")) in earlier]
            if again:
                yield broken(40, "an id that no earlier call of the conversation has", show(again[0]), reply.n)


def alternatives(view: CaseView) -> Iterator[Evidence]:
    """A token has one logprob: that of its entry is that which it has among the alternatives, and greedy takes the best."""
    for reply in good(view):
        for choice in reply.choices:
            for entry in choice.logprobs or ():
                tops = mappings(entry.get("top_logprobs"))
                same = [one.get("logprob") for one in tops if one.get("token") == entry.get("token")]
                value = entry.get("logprob")
                if tops and not same and reply.request.get("temperature") == 0:
                    yield broken(
                        37,
                        f"{show(entry.get('token'))} among the alternatives: greedy takes the best",
                        show(tops),
                        reply.n,
                    )
                    break
                if same and isinstance(value, int | float) and not any(_close(value, one) for one in same):
                    yield broken(
                        37,
                        f"logprob {same[0]} for {show(entry.get('token'))}, as among the alternatives",
                        str(value),
                        reply.n,
                    )
                    break


def _close(a: float, b: Any) -> bool:
    return isinstance(b, int | float) and abs(a - b) <= 1e-4 + 1e-3 * abs(a)


def refusals(view: CaseView) -> Iterator[Evidence]:
    """What is refused for what it says is refused in the form that OpenAI's errors have."""
    for reply in view.replies.values():
        if reply.status not in BAD_REQUEST or not _is_question(view, reply):
            continue
        message = mapping(reply.fields.get("error")).get("message")
        ok = isinstance(message, str) and bool(message)
        expected = "an error object with a text message"
        yield satisfied(8) if ok else broken(8, expected, f"{reply.status}: {show(reply.body)}", reply.n)


def _is_question(view: CaseView, reply: Reply) -> bool:
    """Whether it was a chat completion that was asked for, and not a path that may not be there."""
    asked = view.trace.exchanges[reply.n].request if reply.n < len(view.trace.exchanges) else None
    return bool(reply.request) or (asked is not None and asked.method == "POST" and asked.path == CHAT)


def errors(view: CaseView) -> Iterator[Evidence]:
    """An error shows neither the inside of the engine nor a key; nor does anything else show a key."""
    keys = [key for key in (view.context.key, WRONG_KEY) if key]
    for reply in view.replies.values():
        text = reply.shown
        if reply.status is not None and reply.status >= 400:
            found = internal_error_patterns.leaked(text, internal_error_patterns.GENERAL, sent(view, reply))
            yield (
                broken(5, "an error in the engine's own words", internal_error_patterns.excerpt(text, found), reply.n)
                if found
                else satisfied(5)
            )
        if view.context.key is not None:
            shown = next((key for key in keys if key in text), None)
            yield broken(7, "no key in an answer", f"a key in {text[:60]} ...", reply.n) if shown else satisfied(7)


def sent(view: CaseView, reply: Reply) -> internal_error_patterns.Sent:
    """What the request said that a reply is the answer to."""
    exchanges = view.trace.exchanges[reply.n : reply.n + 1]
    return internal_error_patterns.Sent(
        part for one in exchanges for part in internal_error_patterns.of_request(one.request)
    )


def streams(view: CaseView) -> Iterator[Evidence]:
    """A stream has one beginning and one end."""
    for reply in good(view):
        if not reply.streamed:
            continue
        ok = reply.kind.partition(";")[0].strip().lower() == "text/event-stream"
        yield (
            satisfied(57)
            if ok
            else broken(57, "content-type: text/event-stream", f"content-type: {reply.kind}", reply.n)
        )
        yield from _pieces(reply)
        life = walked(reply.chunks)
        disorder = life.of("CHAT-051")
        if life.ended and not disorder:
            yield satisfied(51)
        else:
            fault = [reply.fault] if reply.fault else []
            observed = "; ".join([*disorder[:2], *fault, *([] if life.ended else [life.shown()])])
            yield broken(51, "one finish_reason a choice, then data: [DONE]", observed, reply.n)
        yield from _constant(reply, life.of("CHAT-052"))


def _pieces(reply: Reply) -> Iterator[Evidence]:
    """Each piece of a call says of which; its id and its name come once."""
    parts = reply.pieces
    if not parts:
        return
    lost = [piece for piece in parts if not isinstance(piece.get("index"), int)]
    ids = [(show(piece.get("index")), show(piece["id"])) for piece in parts if piece.get("id")]
    names = [show(piece.get("index")) for piece in parts if mapping(piece.get("function")).get("name")]
    indices = {show(piece.get("index")) for piece in parts}
    if not lost and len(dict(ids)) == len(set(ids)) == len(indices) == len(names):
        yield satisfied(58)
    else:
        observed = f"{len(lost)} piece(s) without an index, ids {show(ids[:MOST])}, names for {show(names[:MOST])}"
        yield broken(58, "an index in each piece, one id and one name a call", observed, reply.n)


def _constant(reply: Reply, disorder: list[str]) -> Iterator[Evidence]:
    """A chunk that says nothing of the reply, such as the first one of Azure, need not name it."""
    chunks = [chunk for chunk in reply.data if isinstance(chunk, Mapping) and not _is_annotation(chunk)]
    odd = [part for part in reply.data if isinstance(part, NotJson)]
    names = {name: {show(chunk.get(name)) for chunk in chunks} for name in ("id", "model")}
    changing = {name: sorted(values)[:MOST_SHOWN] for name, values in names.items() if len(values) > 1}
    kinds = {show(chunk.get("object")) for chunk in chunks} - {'"chat.completion.chunk"'}
    if odd or changing or kinds or disorder:
        told = [*disorder[:2], *(f"{name} {' and '.join(values)}" for name, values in changing.items())]
        told += [f"object {one}" for one in sorted(kinds)[:MOST_SHOWN]] + (
            [f"a chunk that is {odd[0]!r}"] if odd else []
        )
        expected = "the role once, first; object chat.completion.chunk; id and model the same in all chunks"
        yield broken(52, expected, ", ".join(told), reply.n)
    else:
        yield satisfied(52)
    times = sorted({show(chunk.get("created")) for chunk in chunks})
    if len(times) > 1:
        yield broken(62, "created the same in all chunks", f"created {' and '.join(times[:MOST_SHOWN])}", reply.n)
    elif times:
        yield satisfied(62)


def _is_annotation(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk has neither choices nor usage nor an id."""
    return not (chunk.get("choices") or chunk.get("usage") or chunk.get("id") or chunk.get("error"))
