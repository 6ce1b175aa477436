"""The order of events of one rollout as a table per dialect, with the requirement that each illegal event of the server breaks.

`server` is the rollout server, `trainer` the other end. `GenerationDisconnected` is a generation request whose connection the server closes before
the response. `GenerationFailed` is a generation request that gets an error or no response. After either of them a retry is legal. A late
response to an abandoned generation request is legal in every state and has no effect.
"""

from rollout_conformance.contracts.lifecycle import Table, stay

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


SYNC: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: stay(STARTED, "StartSent", *_LATE),
        WAITING: {"GenerationReturned": STARTED, "GenerationFailed": FAULTED, "StartSent": WAITING},
        FAULTED: stay(FAULTED, "StartSent", *_LATE),
        DONE: stay(DONE, "StartSent", *_LATE),
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
        DONE: stay(DONE, "GenerationDisconnected", "ResultReturned"),
        REJECTED: {},
    },
}

CALLBACK: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: stay(STARTED, "StartSent", *_LATE),
        WAITING: {"GenerationReturned": STARTED, "GenerationFailed": FAULTED, "StartSent": WAITING},
        FAULTED: stay(FAULTED, "StartSent", *_LATE),
        REPORTING: {
            "CompletedAcknowledged": DONE,
            "CompletedUnacknowledged": UNREPORTED,
            **stay(REPORTING, "StartSent", *_LATE),
        },
        UNREPORTED: stay(UNREPORTED, "StartSent", "CompletedUnacknowledged", *_LATE),
        DONE: stay(DONE, "StartSent", "CompletedUnacknowledged", *_LATE),
        REJECTED: {"StartSent": STARTED},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartRejected": REJECTED,
            "GenerationRequested": WAITING,
            "CompletedSent": REPORTING,
            **stay(STARTED, "StartAccepted", "GenerationDisconnected"),
        },
        WAITING: {"GenerationDisconnected": FAULTED, "CompletedSent": REPORTING, "StartAccepted": WAITING},
        FAULTED: {
            "GenerationRequested": WAITING,
            "CompletedSent": REPORTING,
            **stay(FAULTED, "StartAccepted", "GenerationDisconnected"),
        },
        REPORTING: stay(REPORTING, "StartAccepted", "GenerationDisconnected"),
        UNREPORTED: {"CompletedSent": REPORTING, **stay(UNREPORTED, "StartAccepted", "GenerationDisconnected")},
        DONE: stay(DONE, "StartAccepted", "GenerationDisconnected"),
        REJECTED: {},
    },
}

# The server sends two callbacks instead of one: the completed callback and, if the rollout succeeded, the graded sample after it. The
# trainer may cancel the rollout at any time; a cancelled rollout has a completed callback as well.
ROUTED: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: stay(STARTED, "StartSent", "CancelSent", *_LATE),
        WAITING: {
            "GenerationReturned": STARTED,
            "GenerationFailed": FAULTED,
            **stay(WAITING, "StartSent", "CancelSent"),
        },
        FAULTED: stay(FAULTED, "StartSent", "CancelSent", *_LATE),
        REPORTING: {
            "CompletedAcknowledged": DONE,
            "CompletedUnacknowledged": UNREPORTED,
            **stay(REPORTING, "StartSent", "CancelSent", *_LATE),
        },
        UNREPORTED: stay(UNREPORTED, "StartSent", "CancelSent", "CompletedUnacknowledged", *_LATE),
        DONE: stay(DONE, "StartSent", "CancelSent", "CompletedUnacknowledged", *_LATE),
        GRADING: {
            "GradedAcknowledged": GRADED,
            "GradedUnacknowledged": UNGRADED,
            **stay(GRADING, "StartSent", "CancelSent", *_LATE),
        },
        UNGRADED: stay(UNGRADED, "StartSent", "CancelSent", "GradedUnacknowledged", *_LATE),
        GRADED: stay(GRADED, "StartSent", "CancelSent", "GradedUnacknowledged", *_LATE),
        REJECTED: {"StartSent": STARTED},
    },
    "server": {
        **CALLBACK["server"],
        # The completed callback must be sent before the graded sample. No requirement demands that it is acknowledged before it.
        UNREPORTED: {**CALLBACK["server"][UNREPORTED], "GradedSent": GRADING},
        DONE: {"GradedSent": GRADING, **stay(DONE, "StartAccepted", "GenerationDisconnected")},
        GRADING: stay(GRADING, "StartAccepted", "GenerationDisconnected"),
        UNGRADED: {"GradedSent": GRADING, **stay(UNGRADED, "StartAccepted", "GenerationDisconnected")},
        GRADED: stay(GRADED, "StartAccepted", "GenerationDisconnected"),
    },
}

# The trainer polls for the result, and may cancel the rollout at any time. `ResultReturned` is a response that says how the rollout ended; it
# may be requested again.
LEASED: Table = {
    "trainer": {
        state: events if state == REJECTED else {**events, **({} if state == IDLE else stay(state, "CancelSent"))}
        for state, events in SYNC["trainer"].items()
    },
    "server": {
        state: events if state in (IDLE, REJECTED) else {**events, **stay(state, "StartAccepted")}
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
