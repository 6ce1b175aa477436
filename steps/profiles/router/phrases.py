"""The sentences of the profile `router` that are more than a verb with its members: what the backends do, one response after the other.

`the backends return 503, then return "Done."`: the backend that receives the first request returns 503, the one that receives the second
returns a completion of that text, and so on.
"""

import re
from collections.abc import Callable

from pytest_bdd import given, parsers

from rollout_conformance.steps.engine.cases import Action
from rollout_conformance.steps.engine.verbs import verb_of
from rollout_conformance.steps.profiles.router.backends import ScriptBackends

Members = dict[str, object]
Clause = tuple[str, str, Callable[["re.Match[str]"], Members]]

RESPONSES: tuple[Clause, ...] = (
    (r"return (\d{3})", "return 503", lambda m: {"status": int(m[1])}),
    (r'return "([^"]*)"', 'return "Done."', lambda m: {"text": m[1]}),
    (r"return a completion", "return a completion", lambda m: {}),
    (r"reset the connection(?! after)", "reset the connection", lambda m: {"fault": "reset"}),
    (r"send nothing", "send nothing", lambda m: {"fault": "silent"}),
    (r"send headers and no body", "send headers and no body", lambda m: {"fault": "stalled"}),
)
ADDITIONS: tuple[Clause, ...] = (
    (r' with the body "([^"]*)"', ' with the body "..."', lambda m: {"body": m[1]}),
    (r" after ([\d.]+) s", " after 0.3 s", lambda m: {"delay_s": float(m[1])}),
    (r", a chunk every ([\d.]+) s", ", a chunk every 0.1 s", lambda m: {"chunk_every_s": float(m[1])}),
    (r", without end", ", without end", lambda m: {"endless": True}),
    (r" and hold the response", " and hold the response", lambda m: {"hold": True}),
    (
        r" and reset the connection after (\d+) chunks",
        " and reset the connection after 4 chunks",
        lambda m: {"reset_after": int(m[1])},
    ),
    (r" and end after (\d+) chunks", " and end after 4 chunks", lambda m: {"ends_after": int(m[1])}),
    (
        r" and send nothing after (\d+) chunks",
        " and send nothing after 4 chunks",
        lambda m: {"silent_after": int(m[1])},
    ),
    (
        r" and send an error event after (\d+) chunks",
        " and send an error event after 4 chunks",
        lambda m: {"error_after": int(m[1])},
    ),
)
SHOWN = (
    (
        "`<responses>` is one of these, or several with `, then ` between them, one for each request; the last one is repeated:",
        tuple(shown for _, shown, _ in RESPONSES),
    ),
    ("Behind each of them may stand some of these:", tuple(shown for _, shown, _ in ADDITIONS)),
)


@given(parsers.re(r"the backends (?P<responses>.+)"))
def the_backends(responses: str) -> Action:
    return verb_of(ScriptBackends).read([_response(part) for part in re.split(r", then ", responses)])


def _response(text: str) -> Members:
    """The members of one response. Raises `ValueError` with what may be written."""
    members, rest = _matched(text, RESPONSES)
    while rest:
        more, rest = _matched(rest, ADDITIONS)
        members |= more
    return members


def _matched(text: str, clauses: tuple[Clause, ...]) -> tuple[Members, str]:
    for pattern, _, read in clauses:
        if found := re.match(pattern, text):
            return read(found), text[found.end() :]
    there = " / ".join(shown.strip() for _, shown, _ in clauses)
    behind = "" if clauses is ADDITIONS else f". Behind it: {' / '.join(shown.strip() for _, shown, _ in ADDITIONS)}"
    raise ValueError(f"not understood: {text.strip()!r}. What may stand there: {there}{behind}")
