"""The order of events of one rollout as a table per dialect, with the requirement that each illegal event of the trainer breaks.

`trainer` is the system under test, `server` the rollout server at the other end. A table begins with the control request; if the trainer
already knows the tools of the rollout server, the sync table begins in READY. `GenerationRejected` is a 4xx or 5xx to a generation request.
`TimedOut` is the timeout with which the trainer ends a rollout. A generation request that arrives while another one is open is a retry, or
the trainer rejects it.
"""

from rollout_conformance.contracts.lifecycle import Table, stay

IDLE, REQUESTING_TOOLS, READY, STARTED, WAITING, REPORTING, REPEATED, DONE, LATE, REJECTED = (
    "IDLE",
    "REQUESTING_TOOLS",
    "READY",
    "STARTED",
    "WAITING",
    "REPORTING",
    "REPEATED",
    "DONE",
    "LATE",
    "REJECTED",
)

# Responses to generation requests that were open when the rollout ended. They have no effect.
_OVERTAKEN = {"GenerationReturned", "GenerationRejected"}


SYNC: Table = {
    "trainer": {
        IDLE: {"ToolsRequested": REQUESTING_TOOLS},
        REQUESTING_TOOLS: {},
        READY: {"StartSent": STARTED},
        STARTED: {"TimedOut": DONE},
        WAITING: {"GenerationReturned": STARTED, "GenerationRejected": STARTED, "TimedOut": DONE},
        DONE: {},
        LATE: {"GenerationRejected": DONE},
        REJECTED: {"StartSent": STARTED, "TimedOut": DONE},
    },
    "server": {
        IDLE: {},
        REQUESTING_TOOLS: {"ToolsReturned": READY},
        READY: {},
        STARTED: {"GenerationRequested": WAITING, "StartRejected": REJECTED, "ResultReturned": DONE},
        WAITING: {"GenerationRequested": WAITING, "ResultReturned": DONE},
        DONE: {"GenerationRequested": LATE, "ResultReturned": DONE},
        LATE: {"GenerationRequested": LATE},
        REJECTED: {},
    },
}

CALLBACK: Table = {
    "trainer": {
        IDLE: {"StartSent": STARTED},
        STARTED: {"TimedOut": DONE},
        WAITING: {"GenerationReturned": STARTED, "GenerationRejected": STARTED, "TimedOut": DONE},
        REPORTING: {
            "CompletedAcknowledged": DONE,
            "CompletedRejected": STARTED,
            **stay(REPORTING, *sorted(_OVERTAKEN)),
        },
        REPEATED: {"CompletedAcknowledged": DONE},
        DONE: {},
        LATE: {"GenerationRejected": DONE},
        REJECTED: {"StartSent": STARTED, "TimedOut": DONE},
    },
    "server": {
        IDLE: {},
        STARTED: {
            "StartAccepted": STARTED,
            "StartRejected": REJECTED,
            "GenerationRequested": WAITING,
            "CompletedSent": REPORTING,
        },
        WAITING: {"GenerationRequested": WAITING, "StartAccepted": WAITING, "CompletedSent": REPORTING},
        REPORTING: stay(REPORTING, "CompletedSent", "StartAccepted"),
        REPEATED: stay(REPEATED, "CompletedSent", "StartAccepted"),
        DONE: {"CompletedSent": REPEATED, "GenerationRequested": LATE, "StartAccepted": DONE},
        LATE: {"GenerationRequested": LATE, "CompletedSent": LATE},
        REJECTED: {},
    },
}

TABLES: dict[str, Table] = {"sync": SYNC, "callback": CALLBACK}

# The requirement that is broken if the trainer emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    ("IDLE", "StartSent"): "TRAINER-196",
    ("REQUESTING_TOOLS", "StartSent"): "TRAINER-196",
    ("LATE", "GenerationReturned"): "TRAINER-195",
    ("REPEATED", "CompletedRejected"): "TRAINER-191",
    ("STARTED", "StartSent"): "TRAINER-199",
    ("WAITING", "StartSent"): "TRAINER-199",
}
