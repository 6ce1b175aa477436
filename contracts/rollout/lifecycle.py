"""The order of events of one rollout, per dialect, and the requirement that each disorder breaks.

`server` is the rollout server, `trainer` the other end. A generation call that the server gives up on (it closes the
connection) is `ChatAbandoned`; one that the trainer answers with an error, or not at all, is `ChatFailed`. After either, asking
again is a retry and legal. Late ends of given-up calls are legal anywhere: they carry no protocol meaning.
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

# Two reports instead of one: the completion, and after it, when the rollout succeeded, the graded sample. A cancellation may come
# at any time; what is cancelled still has its terminal report.
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
        # A completion that was given up or refused was sent first all the same: no sentence ties the sample to its acknowledgement.
        UNREPORTED: {**CALLBACK["server"][UNREPORTED], "GradedPosted": GRADING},
        DONE: {"GradedPosted": GRADING, **_stay(DONE, "StartAccepted", "ChatAbandoned")},
        GRADING: _stay(GRADING, "StartAccepted", "ChatAbandoned"),
        UNGRADED: {"GradedPosted": GRADING, **_stay(UNGRADED, "StartAccepted", "ChatAbandoned")},
        GRADED: _stay(GRADED, "StartAccepted", "ChatAbandoned"),
    },
}

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK, "routed": ROUTED}

# Which requirement is broken when the server emits the event in the state.
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
