"""The order of events of one rollout as its trainer has to keep it, and the requirement that each disorder breaks.

`trainer` is the system that is judged, `server` the rollout server at the other end. A table begins when the control API was
asked for a rollout; a trainer that knows the tools of a server already begins in TOLD (sync dialect). `ChatRefused` is a 4xx or 5xx
answer, `GaveUp` the end that the trainer itself gives to a rollout that takes too long. A generation call that arrives while
another is open is a retry, or it is refused.
"""

from rollout_conformance.contracts.lifecycle import Table

IDLE, ASKING, TOLD, STARTED, WAITING, REPORTING, REPEATED, DONE, LATE, REFUSED = (
    "IDLE",
    "ASKING",
    "TOLD",
    "STARTED",
    "WAITING",
    "REPORTING",
    "REPEATED",
    "DONE",
    "LATE",
    "REFUSED",
)

# What a call that was open when the rollout ended becomes of no consequence.
_OVERTAKEN = {"ChatAnswered", "ChatRefused"}


def _stay(state: str, *events: str) -> dict[str, str]:
    return dict.fromkeys(events, state)


SYNC: Table = {
    "trainer": {
        IDLE: {"ToolsAsked": ASKING},
        ASKING: {},
        TOLD: {"StartPosted": STARTED},
        STARTED: {"GaveUp": DONE},
        WAITING: {"ChatAnswered": STARTED, "ChatRefused": STARTED, "GaveUp": DONE},
        DONE: {},
        LATE: {"ChatRefused": DONE},
        REFUSED: {"StartPosted": STARTED, "GaveUp": DONE},
    },
    "server": {
        IDLE: {},
        ASKING: {"ToolsAnswered": TOLD},
        TOLD: {},
        STARTED: {"ChatAsked": WAITING, "StartRefused": REFUSED, "ResultReturned": DONE},
        WAITING: {"ChatAsked": WAITING, "ResultReturned": DONE},
        DONE: {"ChatAsked": LATE, "ResultReturned": DONE},
        LATE: {"ChatAsked": LATE},
        REFUSED: {},
    },
}

CALLBACK: Table = {
    "trainer": {
        IDLE: {"StartPosted": STARTED},
        STARTED: {"GaveUp": DONE},
        WAITING: {"ChatAnswered": STARTED, "ChatRefused": STARTED, "GaveUp": DONE},
        REPORTING: {"CompletedAcked": DONE, "CompletedRefused": STARTED, **_stay(REPORTING, *sorted(_OVERTAKEN))},
        REPEATED: {"CompletedAcked": DONE},
        DONE: {},
        LATE: {"ChatRefused": DONE},
        REFUSED: {"StartPosted": STARTED, "GaveUp": DONE},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartAccepted": STARTED,
            "StartRefused": REFUSED,
            "ChatAsked": WAITING,
            "CompletedPosted": REPORTING,
        },
        WAITING: {"ChatAsked": WAITING, "StartAccepted": WAITING, "CompletedPosted": REPORTING},
        REPORTING: _stay(REPORTING, "CompletedPosted", "StartAccepted"),
        REPEATED: _stay(REPEATED, "CompletedPosted", "StartAccepted"),
        DONE: {"CompletedPosted": REPEATED, "ChatAsked": LATE, "StartAccepted": DONE},
        LATE: {"ChatAsked": LATE, "CompletedPosted": LATE},
        REFUSED: {},
    },
}

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK}

# Which requirement is broken when the trainer emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    ("IDLE", "StartPosted"): "TRAINER-196",
    ("ASKING", "StartPosted"): "TRAINER-196",
    ("LATE", "ChatAnswered"): "TRAINER-195",
    ("REPEATED", "CompletedRefused"): "TRAINER-191",
    ("STARTED", "StartPosted"): "TRAINER-199",
    ("WAITING", "StartPosted"): "TRAINER-199",
}
