"""The order of events of one rollout, per dialect, and the requirement that each disorder breaks.

`server` is the rollout server, `trainer` the other end. A generation call that the server gives up on (it closes the
connection) is `ChatAbandoned`; one that the trainer answers with an error, or not at all, is `ChatFailed`. After either, asking
again is a retry and legal. Late ends of given-up calls are legal anywhere: they carry no protocol meaning.
"""

from contracts.lifecycle import Table

IDLE, STARTED, WAITING, FAULTED, REPORTING, UNREPORTED, DONE, REFUSED = (
    "IDLE",
    "STARTED",
    "WAITING",
    "FAULTED",
    "REPORTING",
    "UNREPORTED",
    "DONE",
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

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK}

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
    ("WAITING", "StartRefused"): "ROLLOUT-042",
    ("FAULTED", "StartRefused"): "ROLLOUT-042",
    ("REPORTING", "StartRefused"): "ROLLOUT-142",
    ("UNREPORTED", "StartRefused"): "ROLLOUT-142",
    ("DONE", "StartRefused"): "ROLLOUT-142",
}
