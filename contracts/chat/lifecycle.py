"""The states of a chat completion request and of a streamed response, as tables, with the requirement that each illegal event breaks.

`inference server` is the system under test; `client` is the suite. REQUEST describes one exchange, STREAM the chunks of a
streamed response in their order. A stream has one CHOICE table for each of its choices, because choices are sampled concurrently. One
chunk may be several events of a choice: `RoleSent` and `PartSent`, or `PartSent` and `FinishSent`.

    RoleSent, PartSent, FinishSent  an element of `choices` with a role, with a part of the message, with a finish_reason
    ChunkSent, LastFinishSent       a chunk with choices, after which a choice is open, or no choice is open
    UsageSent                       a chunk with usage and without choices
    DoneSent                        data: [DONE]
    ErrorSent                       data: {"error": ...}
    StreamClosed                    the response body ends without a terminal event
    ClientDisconnected              the client closed the connection
"""

from rollout_conformance.contracts.lifecycle import Table

REQUESTED, OPENED, RETURNED, REJECTED, LOST, DISCONNECTED = (
    "REQUESTED",
    "OPENED",
    "RETURNED",
    "REJECTED",
    "LOST",
    "DISCONNECTED",
)
NEW, STARTED, ENDED = "NEW", "STARTED", "ENDED"
OPEN, FINISHED, USAGE_SENT, DONE, FAILED, CLOSED = "OPEN", "FINISHED", "USAGE_SENT", "DONE", "FAILED", "CLOSED"

REQUEST: Table = {
    "inference server": {
        REQUESTED: {
            "ResponseReturned": RETURNED,
            "RequestRejected": REJECTED,
            "StreamOpened": OPENED,
            "StreamClosed": LOST,
        },
        OPENED: {"StreamFinished": RETURNED, "StreamClosed": LOST},
        RETURNED: {},
        REJECTED: {},
        LOST: {},
        DISCONNECTED: {},
    },
    "client": {
        REQUESTED: {"ClientDisconnected": DISCONNECTED},
        OPENED: {"ClientDisconnected": DISCONNECTED},
        RETURNED: {},
        REJECTED: {},
        LOST: {},
        DISCONNECTED: {},
    },
}

CHOICE: Table = {
    "inference server": {
        NEW: {"RoleSent": STARTED},
        STARTED: {"PartSent": STARTED, "FinishSent": ENDED},
        ENDED: {},
    },
}

STREAM: Table = {
    "inference server": {
        OPEN: {"ChunkSent": OPEN, "LastFinishSent": FINISHED, "ErrorSent": FAILED, "StreamClosed": CLOSED},
        FINISHED: {
            "ChunkSent": OPEN,
            "LastFinishSent": FINISHED,
            "UsageSent": USAGE_SENT,
            "DoneSent": DONE,
            "ErrorSent": FAILED,
            "StreamClosed": CLOSED,
        },
        USAGE_SENT: {"DoneSent": DONE, "StreamClosed": CLOSED},
        DONE: {},
        FAILED: {"DoneSent": FAILED},
        CLOSED: {},
        DISCONNECTED: {},
    },
    "client": {
        OPEN: {"ClientDisconnected": DISCONNECTED},
        FINISHED: {"ClientDisconnected": DISCONNECTED},
        USAGE_SENT: {"ClientDisconnected": DISCONNECTED},
        DONE: {},
        FAILED: {},
        CLOSED: {},
        DISCONNECTED: {},
    },
}

# The requirement that is broken if the inference server emits the event in the state. A stream that ends with an error is legal in this
# table; the case decides whether the error is a finding.
BREACHES: dict[tuple[str, str], str] = {
    (NEW, "PartSent"): "CHAT-052",
    (NEW, "FinishSent"): "CHAT-052",
    (STARTED, "RoleSent"): "CHAT-052",
    (ENDED, "RoleSent"): "CHAT-052",
    (ENDED, "PartSent"): "CHAT-051",
    (ENDED, "FinishSent"): "CHAT-051",
    (OPEN, "DoneSent"): "CHAT-051",
    (OPEN, "UsageSent"): "CHAT-053",
    (USAGE_SENT, "UsageSent"): "CHAT-053",
    (USAGE_SENT, "ChunkSent"): "CHAT-053",
    (USAGE_SENT, "LastFinishSent"): "CHAT-053",
    (DONE, "ChunkSent"): "CHAT-051",
    (DONE, "LastFinishSent"): "CHAT-051",
    (DONE, "UsageSent"): "CHAT-051",
    (DONE, "DoneSent"): "CHAT-051",
    (DONE, "ErrorSent"): "CHAT-051",
    (FAILED, "ChunkSent"): "CHAT-051",
    (FAILED, "LastFinishSent"): "CHAT-051",
}
