"""The response mask, judged against what the trainer issued (sync dialect).

Two readings exist of what lies between the last sampled token and the next one. *Re-render*: the prompt as it is now, less the
prompt as it was and what was sampled. *Splice*: the tokens of the inserted text alone. With canonical sampling and the
end-of-turn token among the sampled ids they agree, and the length is a MUST. Elsewhere either is right.
"""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, satisfied, show
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.view import CaseView, Chat, Rollout

MOST_SHOWN = 8


def mask(view: CaseView) -> Iterator[Evidence]:
    if view.dialect != "sync":
        return
    for rollout in view.rollouts.values():
        if restarted(rollout):
            continue
        for chat in rollout.chats:
            before = rollout.before(chat)
            yield from _first(chat) if before is None else _later(rollout, before, chat)
        yield from _unsayable(rollout)


def _first(chat: Chat) -> Iterator[Evidence]:
    value = chat.fields.get("response_mask")
    if value is None:
        yield satisfied("054")
        return
    expected = "null or no response_mask in the first call: nothing was inserted yet"
    yield broken("054", expected, f"response_mask: {show(value)}", chat.n)
    if value == []:
        yield broken("060", "never an empty list", "response_mask: []", chat.n)


def _later(rollout: Rollout, before: Chat, chat: Chat) -> Iterator[Evidence]:
    value = chat.fields.get("response_mask")
    right = readings(rollout, before, chat)
    if not right:
        return
    if value == []:
        yield broken("060", "never an empty list", "response_mask: []", chat.n)
    elif isinstance(value, list) and any(isinstance(v, bool) or v not in (0, 1) for v in value):
        odd = sorted({show(v) for v in value if isinstance(v, bool) or v not in (0, 1)})
        yield broken("056", "only 0 and 1", f"response_mask with the values {', '.join(odd[:MOST_SHOWN])}", chat.n)
    elif re_rendered(rollout, before, chat) < 0:
        yield from _negative(value, right, chat)
    else:
        yield from _length(value, right, before, chat)


def _length(value: object, right: set[int], before: Chat, chat: Chat) -> Iterator[Evidence]:
    zeros = " or ".join(str(n) for n in sorted(right))
    sampled = len(before.issued.token_ids) if before.issued else 0
    expected = f"{zeros} zeros: what was inserted after the {sampled} sampled tokens of call {before.n}"
    if not isinstance(value, list):
        yield broken("055", expected, f"response_mask: {show(value)}", before.n, chat.n)
        return
    ones = sum(value)
    if len(value) not in right:
        yield broken("055", expected, _wrong_length(len(value), right), before.n, chat.n)
        if len(value) - ones > max(right):
            surplus = len(value) - ones - max(right)
            yield broken(
                "058",
                "no zero on a sampled token",
                f"response_mask: {surplus} zeros more than tokens inserted",
                before.n,
                chat.n,
            )
    if ones:
        where = [n for n, entry in enumerate(value) if entry][:MOST_SHOWN]
        yield broken(
            "057", "0 for every inserted token", f"response_mask: {ones} ones, the first at {show(where)}", chat.n
        )
    if len(value) in right and not ones:
        yield from (satisfied(name) for name in ("055", "056", "057", "058", "060"))


def _wrong_length(length: int, right: set[int]) -> str:
    """The length of a mask, and how far it is from the nearest right one."""
    nearest = min(right, key=lambda one: abs(one - length))
    return f"response_mask of {length} entries, {abs(length - nearest)} too {'few' if length < nearest else 'many'}"


def _negative(value: object, right: set[int], chat: Chat) -> Iterator[Evidence]:
    """The prompt became shorter than what it should extend: only a splice can still know the length."""
    if isinstance(value, list) and len(value) in right and not any(value):
        yield satisfied("059")
    else:
        expected = "an ERROR result: the conversation became shorter than its own past, no mask can be computed"
        yield broken("059", expected, f"response_mask: {show(value)}", chat.n)


def _unsayable(rollout: Rollout) -> Iterator[Evidence]:
    """The server ended the rollout at a point where the next mask would have had a negative length."""
    last = rollout.generated[-1] if rollout.generated else None
    final = rollout.result.fields.get("final_messages") if rollout.result else None
    if (
        last is None
        or last.issued is None
        or not rollout.is_error()
        or not last.issued.message.get("reasoning_content")
    ):
        return
    if isinstance(final, list) and last.issued.calls:
        yield satisfied("059")


def re_rendered(rollout: Rollout, before: Chat, chat: Chat) -> int:
    """Length by the re-render reading; negative when the template shortened the past."""
    if before.issued is None:
        return 0
    return len(_prompt(rollout, chat)) - len(before.issued.prompt_ids) - len(before.issued.token_ids)


def readings(rollout: Rollout, before: Chat, chat: Chat) -> set[int]:
    """Every length that is right for this call; empty when the history is not one that can be read."""
    if before.issued is None or len(chat.messages) <= len(before.messages):
        return set()
    rendered = re_rendered(rollout, before, chat)
    agree = before.issued.canonical and before.issued.end_token and rendered >= 0
    if agree:
        return {rendered}
    spliced = _spliced(rollout, before, chat)
    open_end = set() if before.issued.end_token else {spliced + 1}
    return {n for n in {rendered, spliced} | open_end if n > 0}


def _spliced(rollout: Rollout, before: Chat, chat: Chat) -> int:
    """Tokens of the text behind the assistant turn, which does not depend on what that turn says."""
    plain = {"role": "assistant", "content": "x"}
    inserted = chat.messages[len(before.messages) + 1 :]
    with_turn = [*before.messages, plain]
    opening = rollout.tokens.render(before.messages, rollout.tools)
    turn = rollout.tokens.render(with_turn, rollout.tools, generation=False)
    whole = rollout.tokens.render([*with_turn, *inserted], rollout.tools)
    end = turn.rfind("x", len(opening)) + 1
    return len(rollout.tokens.encode(whole[end:])) - 1  # less the end-of-turn token itself


def _prompt(rollout: Rollout, chat: Chat) -> Sequence[int]:
    if chat.issued is not None:
        return chat.issued.prompt_ids
    return rollout.tokens.prompt_ids(chat.messages, rollout.tools)
