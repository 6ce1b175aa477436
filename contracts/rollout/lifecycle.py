"""The order of events of one rollout as a table per dialect, with the requirement that each illegal event of the server breaks.

`server` is the rollout server, `trainer` the other end. `ChatAbandoned` is a generation request whose connection the server closes before
the response. `ChatFailed` is a generation request that gets an error or no response. After either of them a retry is legal. A late
response to an abandoned generation request is legal in every state and has no effect.
"""

from rollout_conformance.contracts.lifecycle import Table

IDLE, STARTED, WAITING, FAULTED, REPORTING, UNREPORTED, DONE, GRADING, UNGRADED, GRADED, REFUSED = (
    "IDLE",
    "STARTED",
    "WAITING",
    "FAULTED",
    "REPORTING",
    "UNREPORTED",
    "DONE",
    "GRADING",
    "UNGRADED",
    "GRADED",
    "REFUSED",
)

_LATE = {"ChatAnswered", "ChatFailed"}


def _stay(state: str, *events: str) -> dict[str, str]:
    return dict.fromkeys(events, state)


SYNC: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", *_LATE),
        WAITING: {"ChatAnswered": STARTED, "ChatFailed": FAULTED, "StartSent": WAITING},
        FAULTED: _stay(FAULTED, "StartSent", *_LATE),
        DONE: _stay(DONE, "StartSent", *_LATE),
        REFUSED: {"StartSent": STARTED},
    },
    "server": {
        IDLE: {},
        STARTED: {"StartRefused": REFUSED, "ChatAsked": WAITING, "ResultReturned": DONE, "ChatAbandoned": STARTED},
        WAITING: {"ChatAbandoned": FAULTED, "ResultReturned": DONE},
        FAULTED: {"ChatAsked": WAITING, "ResultReturned": DONE, "ChatAbandoned": FAULTED},
        DONE: _stay(DONE, "ChatAbandoned", "ResultReturned"),
        REFUSED: {},
    },
}

CALLBACK: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", *_LATE),
        WAITING: {"ChatAnswered": STARTED, "ChatFailed": FAULTED, "StartSent": WAITING},
        FAULTED: _stay(FAULTED, "StartSent", *_LATE),
        REPORTING: {"CompletedAcked": DONE, "CompletedUnacked": UNREPORTED, **_stay(REPORTING, "StartSent", *_LATE)},
        UNREPORTED: _stay(UNREPORTED, "StartSent", "CompletedUnacked", *_LATE),
        DONE: _stay(DONE, "StartSent", "CompletedUnacked", *_LATE),
        REFUSED: {"StartSent": STARTED},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartRefused": REFUSED,
            "ChatAsked": WAITING,
            "CompletedPosted": REPORTING,
            **_stay(STARTED, "StartAccepted", "ChatAbandoned"),
        },
        WAITING: {"ChatAbandoned": FAULTED, "CompletedPosted": REPORTING, "StartAccepted": WAITING},
        FAULTED: {
            "ChatAsked": WAITING,
            "CompletedPosted": REPORTING,
            **_stay(FAULTED, "StartAccepted", "ChatAbandoned"),
        },
        REPORTING: _stay(REPORTING, "StartAccepted", "ChatAbandoned"),
        UNREPORTED: {"CompletedPosted": REPORTING, **_stay(UNREPORTED, "StartAccepted", "ChatAbandoned")},
        DONE: _stay(DONE, "StartAccepted", "ChatAbandoned"),
        REFUSED: {},
    },
}

# The server sends two callbacks instead of one: the completed callback and, if the rollout succeeded, the graded sample after it. The
# trainer may cancel the rollout at any time; a cancelled rollout has a completed callback as well.
ROUTED: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", "CancelSent", *_LATE),
        WAITING: {"ChatAnswered": STARTED, "ChatFailed": FAULTED, **_stay(WAITING, "StartSent", "CancelSent")},
        FAULTED: _stay(FAULTED, "StartSent", "CancelSent", *_LATE),
        REPORTING: {
            "CompletedAcked": DONE,
            "CompletedUnacked": UNREPORTED,
            **_stay(REPORTING, "StartSent", "CancelSent", *_LATE),
        },
        UNREPORTED: _stay(UNREPORTED, "StartSent", "CancelSent", "CompletedUnacked", *_LATE),
        DONE: _stay(DONE, "StartSent", "CancelSent", "CompletedUnacked", *_LATE),
        GRADING: {
            "GradedAcked": GRADED,
            "GradedUnacked": UNGRADED,
            **_stay(GRADING, "StartSent", "CancelSent", *_LATE),
        },
        UNGRADED: _stay(UNGRADED, "StartSent", "CancelSent", "GradedUnacked", *_LATE),
        GRADED: _stay(GRADED, "StartSent", "CancelSent", "GradedUnacked", *_LATE),
        REFUSED: {"StartSent": STARTED},
    },
    "server": {
        **CALLBACK["server"],
        # The completed callback must be sent before the graded sample. No requirement demands that it is acknowledged before it.
        UNREPORTED: {**CALLBACK["server"][UNREPORTED], "GradedPosted": GRADING},
        DONE: {"GradedPosted": GRADING, **_stay(DONE, "StartAccepted", "ChatAbandoned")},
        GRADING: _stay(GRADING, "StartAccepted", "ChatAbandoned"),
        UNGRADED: {"GradedPosted": GRADING, **_stay(UNGRADED, "StartAccepted", "ChatAbandoned")},
        GRADED: _stay(GRADED, "StartAccepted", "ChatAbandoned"),
    },
}

# The trainer polls for the result, and may cancel the rollout at any time. `ResultReturned` is a response that says how the rollout ended; it
# may be requested again.
LEASED: Table = {
    "trainer": {
        state: events if state == REFUSED else {**events, **({} if state == IDLE else _stay(state, "CancelSent"))}
        for state, events in SYNC["trainer"].items()
    },
    "server": {
        state: events if state in (IDLE, REFUSED) else {**events, **_stay(state, "StartAccepted")}
        for state, events in SYNC["server"].items()
    },
}

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK, "routed": ROUTED, "leased": LEASED}

# The requirement that is broken if the server emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    ("REFUSED", "ChatAsked"): "ROLLOUT-042",
    ("IDLE", "ChatAsked"): "ROLLOUT-042",
    ("WAITING", "ChatAsked"): "ROLLOUT-063",
    ("DONE", "ChatAsked"): "ROLLOUT-064",
    ("REPORTING", "ChatAsked"): "ROLLOUT-064",
    ("UNREPORTED", "ChatAsked"): "ROLLOUT-064",
    ("REFUSED", "CompletedPosted"): "ROLLOUT-142",
    ("IDLE", "CompletedPosted"): "ROLLOUT-142",
    ("DONE", "CompletedPosted"): "ROLLOUT-140",
    ("REPORTING", "CompletedPosted"): "ROLLOUT-137",
    ("GRADING", "ChatAsked"): "ROLLOUT-064",
    ("UNGRADED", "ChatAsked"): "ROLLOUT-064",
    ("GRADED", "ChatAsked"): "ROLLOUT-064",
    ("GRADING", "CompletedPosted"): "ROLLOUT-140",
    ("UNGRADED", "CompletedPosted"): "ROLLOUT-140",
    ("GRADED", "CompletedPosted"): "ROLLOUT-140",
    ("STARTED", "GradedPosted"): "ROLLOUT-147",
    ("WAITING", "GradedPosted"): "ROLLOUT-147",
    ("FAULTED", "GradedPosted"): "ROLLOUT-147",
    ("REPORTING", "GradedPosted"): "ROLLOUT-147",
    ("GRADED", "GradedPosted"): "ROLLOUT-147",
    ("WAITING", "StartRefused"): "ROLLOUT-042",
    ("FAULTED", "StartRefused"): "ROLLOUT-042",
    ("REPORTING", "StartRefused"): "ROLLOUT-142",
    ("UNREPORTED", "StartRefused"): "ROLLOUT-142",
    ("DONE", "StartRefused"): "ROLLOUT-142",
}
