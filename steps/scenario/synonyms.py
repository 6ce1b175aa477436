"""Words that authors look for, and those that the vocabulary has for them."""

import re
from collections.abc import Iterable, Mapping

STATUS = re.compile(r"[1-5](?:\d\d|xx)")

# A synonym of several words means an entry that has all of them.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "abort": ("cancel", "cancels", "disconnects"),
    "close": ("disconnects", "resets"),
    "concurrent": ("concurrently", "at same time"),
    "crash": ("stopped", "stop_server", "down"),
    "delay": ("delay_s", "hold"),
    "drop": ("without", "reset", "lost"),
    "duplicate": ("resend", "resends", "again"),
    "error": ("fail", "fails", "rejected"),
    "equal": ("same",),
    "fault": ("fail", "lost"),
    "malformed": ("raw", "not_json", "arguments_text"),
    "multiple": ("concurrently", "copies", "calls", "several"),
    "parallel": ("concurrently", "copies", "calls", "at once", "tools one turn", "at same time"),
    "pause": ("nothing happens", "hold", "wait_for_silence"),
    "poll": ("result", "eventually"),
    "resend": ("again", "repeats"),
    "retry": ("retried", "retries", "times"),
    "simultaneous": ("concurrently", "copies", "at same time"),
    "sleep": ("nothing happens", "pass", "delay_s"),
    "slow": ("delay_s", "drip", "hold"),
    "sequential": ("sequence",),
    "timeout": ("within", "delay_s", "stall"),
    "unauthorized": ("key", "authorization"),
    "wait": ("nothing happens", "pass", "eventually"),
}

# Words of a step in prose that no sentence has, and those that sentences have for the same.
SAID: Mapping[str, tuple[str, ...]] = {
    "abort": ("cancels",),
    "begin": ("starts",),
    "begun": ("starts",),
    "break": ("resets",),
    "close": ("resets",),
    "complete": ("completes",),
    "finish": ("ends",),
    "finished": ("ends",),
    "invoke": ("calls",),
    "launch": ("starts",),
    "message": ("answers",),
    "over": ("ends",),
    "reject": ("rejected",),
    "replies": ("answers", "returns"),
    "reply": ("answers", "returns"),
    "respond": ("answers", "returns"),
    "retry": ("retries", "retried"),
    "run": ("starts",),
    "say": ("answers",),
    "stop": ("stopped",),
    "use": ("calls",),
}


def meant_by(word: str) -> Iterable[frozenset[str]]:
    """What an entry may have for this word: each is a set of words of which it has all."""
    yield frozenset({word})
    if STATUS.fullmatch(word):
        yield from map(frozenset, ({"status"}, {"statuses"}, {"fail"}))
    for synonym in SYNONYMS.get(word, ()):
        yield frozenset(synonym.split())
