"""The order of events of one rollout as a table per dialect, with the requirement that each illegal event of the trainer breaks.

`trainer` is the system under test, `server` the rollout server at the other end. A table begins with the control request; if the trainer
already knows the tools of the rollout server, the sync table begins in TOLD. `ChatRefused` is a 4xx or 5xx to a generation request.
`GaveUp` is the timeout with which the trainer ends a rollout. A generation request that arrives while another one is open is a retry, or
the trainer rejects it.
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

# Responses to generation requests that were open when the rollout ended. They have no effect.
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

# The requirement that is broken if the trainer emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    ("IDLE", "StartPosted"): "TRAINER-196",
    ("ASKING", "StartPosted"): "TRAINER-196",
    ("LATE", "ChatAnswered"): "TRAINER-195",
    ("REPEATED", "CompletedRefused"): "TRAINER-191",
    ("STARTED", "StartPosted"): "TRAINER-199",
    ("WAITING", "StartPosted"): "TRAINER-199",
}
