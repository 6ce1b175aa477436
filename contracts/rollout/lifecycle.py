"""The order of events of one rollout as a table per dialect, with the requirement that each illegal event of the server breaks.

`server` is the rollout server, `trainer` the other end. `GenerationDisconnected` is a generation request whose connection the server closes before
the response. `GenerationFailed` is a generation request that gets an error or no response. After either of them a retry is legal. A late
response to an abandoned generation request is legal in every state and has no effect.
"""

from rollout_conformance.contracts.lifecycle import Table

IDLE, STARTED, WAITING, FAULTED, REPORTING, UNREPORTED, DONE, GRADING, UNGRADED, GRADED, REJECTED = (
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
    "REJECTED",
)

_LATE = {"GenerationReturned", "GenerationFailed"}


def _stay(state: str, *events: str) -> dict[str, str]:
    return dict.fromkeys(events, state)


SYNC: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", *_LATE),
        WAITING: {"GenerationReturned": STARTED, "GenerationFailed": FAULTED, "StartSent": WAITING},
        FAULTED: _stay(FAULTED, "StartSent", *_LATE),
        DONE: _stay(DONE, "StartSent", *_LATE),
        REJECTED: {"StartSent": STARTED},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartRejected": REJECTED,
            "GenerationRequested": WAITING,
            "ResultReturned": DONE,
            "GenerationDisconnected": STARTED,
        },
        WAITING: {"GenerationDisconnected": FAULTED, "ResultReturned": DONE},
        FAULTED: {"GenerationRequested": WAITING, "ResultReturned": DONE, "GenerationDisconnected": FAULTED},
        DONE: _stay(DONE, "GenerationDisconnected", "ResultReturned"),
        REJECTED: {},
    },
}

CALLBACK: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", *_LATE),
        WAITING: {"GenerationReturned": STARTED, "GenerationFailed": FAULTED, "StartSent": WAITING},
        FAULTED: _stay(FAULTED, "StartSent", *_LATE),
        REPORTING: {
            "CompletedAcknowledged": DONE,
            "CompletedUnacknowledged": UNREPORTED,
            **_stay(REPORTING, "StartSent", *_LATE),
        },
        UNREPORTED: _stay(UNREPORTED, "StartSent", "CompletedUnacknowledged", *_LATE),
        DONE: _stay(DONE, "StartSent", "CompletedUnacknowledged", *_LATE),
        REJECTED: {"StartSent": STARTED},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartRejected": REJECTED,
            "GenerationRequested": WAITING,
            "CompletedSent": REPORTING,
            **_stay(STARTED, "StartAccepted", "GenerationDisconnected"),
        },
        WAITING: {"GenerationDisconnected": FAULTED, "CompletedSent": REPORTING, "StartAccepted": WAITING},
        FAULTED: {
            "GenerationRequested": WAITING,
            "CompletedSent": REPORTING,
            **_stay(FAULTED, "StartAccepted", "GenerationDisconnected"),
        },
        REPORTING: _stay(REPORTING, "StartAccepted", "GenerationDisconnected"),
        UNREPORTED: {"CompletedSent": REPORTING, **_stay(UNREPORTED, "StartAccepted", "GenerationDisconnected")},
        DONE: _stay(DONE, "StartAccepted", "GenerationDisconnected"),
        REJECTED: {},
    },
}

# The server sends two callbacks instead of one: the completed callback and, if the rollout succeeded, the graded sample after it. The
# trainer may cancel the rollout at any time; a cancelled rollout has a completed callback as well.
ROUTED: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: _stay(STARTED, "StartSent", "CancelSent", *_LATE),
        WAITING: {
            "GenerationReturned": STARTED,
            "GenerationFailed": FAULTED,
            **_stay(WAITING, "StartSent", "CancelSent"),
        },
        FAULTED: _stay(FAULTED, "StartSent", "CancelSent", *_LATE),
        REPORTING: {
            "CompletedAcknowledged": DONE,
            "CompletedUnacknowledged": UNREPORTED,
            **_stay(REPORTING, "StartSent", "CancelSent", *_LATE),
        },
        UNREPORTED: _stay(UNREPORTED, "StartSent", "CancelSent", "CompletedUnacknowledged", *_LATE),
        DONE: _stay(DONE, "StartSent", "CancelSent", "CompletedUnacknowledged", *_LATE),
        GRADING: {
            "GradedAcknowledged": GRADED,
            "GradedUnacknowledged": UNGRADED,
            **_stay(GRADING, "StartSent", "CancelSent", *_LATE),
        },
        UNGRADED: _stay(UNGRADED, "StartSent", "CancelSent", "GradedUnacknowledged", *_LATE),
        GRADED: _stay(GRADED, "StartSent", "CancelSent", "GradedUnacknowledged", *_LATE),
        REJECTED: {"StartSent": STARTED},
    },
    "server": {
        **CALLBACK["server"],
        # The completed callback must be sent before the graded sample. No requirement demands that it is acknowledged before it.
        UNREPORTED: {**CALLBACK["server"][UNREPORTED], "GradedSent": GRADING},
        DONE: {"GradedSent": GRADING, **_stay(DONE, "StartAccepted", "GenerationDisconnected")},
        GRADING: _stay(GRADING, "StartAccepted", "GenerationDisconnected"),
        UNGRADED: {"GradedSent": GRADING, **_stay(UNGRADED, "StartAccepted", "GenerationDisconnected")},
        GRADED: _stay(GRADED, "StartAccepted", "GenerationDisconnected"),
    },
}

# The trainer polls for the result, and may cancel the rollout at any time. `ResultReturned` is a response that says how the rollout ended; it
# may be requested again.
LEASED: Table = {
    "trainer": {
        state: events if state == REJECTED else {**events, **({} if state == IDLE else _stay(state, "CancelSent"))}
        for state, events in SYNC["trainer"].items()
    },
    "server": {
        state: events if state in (IDLE, REJECTED) else {**events, **_stay(state, "StartAccepted")}
        for state, events in SYNC["server"].items()
    },
}

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK, "routed": ROUTED, "leased": LEASED}

# The requirement that is broken if the server emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    ("REJECTED", "GenerationRequested"): "ROLLOUT-042",
    ("IDLE", "GenerationRequested"): "ROLLOUT-042",
    ("WAITING", "GenerationRequested"): "ROLLOUT-063",
    ("DONE", "GenerationRequested"): "ROLLOUT-064",
    ("REPORTING", "GenerationRequested"): "ROLLOUT-064",
    ("UNREPORTED", "GenerationRequested"): "ROLLOUT-064",
    ("REJECTED", "CompletedSent"): "ROLLOUT-142",
    ("IDLE", "CompletedSent"): "ROLLOUT-142",
    ("DONE", "CompletedSent"): "ROLLOUT-140",
    ("REPORTING", "CompletedSent"): "ROLLOUT-137",
    ("GRADING", "GenerationRequested"): "ROLLOUT-064",
    ("UNGRADED", "GenerationRequested"): "ROLLOUT-064",
    ("GRADED", "GenerationRequested"): "ROLLOUT-064",
    ("GRADING", "CompletedSent"): "ROLLOUT-140",
    ("UNGRADED", "CompletedSent"): "ROLLOUT-140",
    ("GRADED", "CompletedSent"): "ROLLOUT-140",
    ("STARTED", "GradedSent"): "ROLLOUT-147",
    ("WAITING", "GradedSent"): "ROLLOUT-147",
    ("FAULTED", "GradedSent"): "ROLLOUT-147",
    ("REPORTING", "GradedSent"): "ROLLOUT-147",
    ("GRADED", "GradedSent"): "ROLLOUT-147",
    ("WAITING", "StartRejected"): "ROLLOUT-042",
    ("FAULTED", "StartRejected"): "ROLLOUT-042",
    ("REPORTING", "StartRejected"): "ROLLOUT-142",
    ("UNREPORTED", "StartRejected"): "ROLLOUT-142",
    ("DONE", "StartRejected"): "ROLLOUT-142",
}
