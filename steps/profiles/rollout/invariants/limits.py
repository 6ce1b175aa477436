"""The limits of a rollout, and the turn that uses them up. The tool calls of such a turn need not be run (ROLLOUT-110)."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from rollout_conformance.steps.profiles.rollout.view import Chat, Rollout

DEFAULT_TURNS, DEFAULT_TOKENS = 10, 8192
NATURAL_ENDS = ("stop", "tool_calls", "function_call")


def limit(rollout: Rollout, name: str, default: int) -> int:
    value = rollout.given.body.get(name, default)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 is an integer to JSON Schema
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def token_limit(rollout: Rollout) -> int:
    return limit(rollout, "max_tokens_total", DEFAULT_TOKENS)


def turn_limit(rollout: Rollout) -> int:
    return limit(rollout, "max_turns", DEFAULT_TURNS)


def sampled(turns: Iterable[Chat]) -> Iterator[int]:
    """Of each turn how many tokens were sampled in it and in all before it."""
    return accumulate(len(turn.issued.token_ids) if turn.issued else 0 for turn in turns)


def all_tokens(turn: Chat) -> int:
    """With those of the prompt, which another reading of `max_tokens_total` counts as well."""
    return len(turn.issued.prompt_ids) + len(turn.issued.token_ids) if turn.issued else 0


def need_not_run(rollout: Rollout, turn: Chat) -> bool:
    """Whether a server may answer the calls of the last turn without running them: it was broken off, or used up the tokens."""
    if rollout.after(turn) is not None or turn.issued is None:
        return False
    spent = max([*sampled(rollout.generated), all_tokens(turn)])
    return turn.issued.finish_reason not in NATURAL_ENDS or spent >= token_limit(rollout)
