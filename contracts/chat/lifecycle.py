"""The states of a chat completion request and of a streamed response, as tables, with the requirement that each illegal event breaks.

`engine` is the inference server, the system under test; `client` is the suite. REQUEST describes one exchange, STREAM the chunks of a
streamed response in their order. A stream has one CHOICE table for each of its choices, because choices are sampled concurrently. One
chunk may be several events of a choice: `RoleSaid` and `PieceSaid`, or `PieceSaid` and `EndSaid`.

    RoleSaid, PieceSaid, EndSaid    an element of `choices` with a role, with a part of the message, with a finish_reason
    ChunkSaid, AllEnded             a chunk with choices, after which a choice is open, or no choice is open
    UsageSaid                       a chunk with usage and without choices
    DoneSaid                        data: [DONE]
    ErrorSaid                       data: {"error": ...}
    BrokenOff                       the response body ends without a terminal event
    Left                            the client disconnected
"""

from rollout_conformance.contracts.lifecycle import Table

ASKED, OPENED, ANSWERED, REFUSED, LOST, LEFT = "ASKED", "OPENED", "ANSWERED", "REFUSED", "LOST", "LEFT"
NEW, SPEAKING, ENDED = "NEW", "SPEAKING", "ENDED"
OPEN, SAID, COUNTED, DONE, FAILED, BROKEN = "OPEN", "SAID", "COUNTED", "DONE", "FAILED", "BROKEN"

REQUEST: Table = {
    "engine": {
        ASKED: {"Answered": ANSWERED, "Refused": REFUSED, "Opened": OPENED, "BrokenOff": LOST},
        OPENED: {"Ended": ANSWERED, "BrokenOff": LOST},
        ANSWERED: {},
        REFUSED: {},
        LOST: {},
        LEFT: {},
    },
    "client": {
        ASKED: {"Left": LEFT},
        OPENED: {"Left": LEFT},
        ANSWERED: {},
        REFUSED: {},
        LOST: {},
        LEFT: {},
    },
}

CHOICE: Table = {
    "engine": {
        NEW: {"RoleSaid": SPEAKING},
        SPEAKING: {"PieceSaid": SPEAKING, "EndSaid": ENDED},
        ENDED: {},
    },
}

STREAM: Table = {
    "engine": {
        OPEN: {"ChunkSaid": OPEN, "AllEnded": SAID, "ErrorSaid": FAILED, "BrokenOff": BROKEN},
        SAID: {
            "ChunkSaid": OPEN,
            "AllEnded": SAID,
            "UsageSaid": COUNTED,
            "DoneSaid": DONE,
            "ErrorSaid": FAILED,
            "BrokenOff": BROKEN,
        },
        COUNTED: {"DoneSaid": DONE, "BrokenOff": BROKEN},
        DONE: {},
        FAILED: {"DoneSaid": FAILED},
        BROKEN: {},
        LEFT: {},
    },
    "client": {
        OPEN: {"Left": LEFT},
        SAID: {"Left": LEFT},
        COUNTED: {"Left": LEFT},
        DONE: {},
        FAILED: {},
        BROKEN: {},
        LEFT: {},
    },
}

# The requirement that is broken if the inference server emits the event in the state. A stream that ends with an error is legal in this
# table; the case decides whether the error is a finding.
BREACHES: dict[tuple[str, str], str] = {
    (NEW, "PieceSaid"): "CHAT-052",
    (NEW, "EndSaid"): "CHAT-052",
    (SPEAKING, "RoleSaid"): "CHAT-052",
    (ENDED, "RoleSaid"): "CHAT-052",
    (ENDED, "PieceSaid"): "CHAT-051",
    (ENDED, "EndSaid"): "CHAT-051",
    (OPEN, "DoneSaid"): "CHAT-051",
    (OPEN, "UsageSaid"): "CHAT-053",
    (COUNTED, "UsageSaid"): "CHAT-053",
    (COUNTED, "ChunkSaid"): "CHAT-053",
    (COUNTED, "AllEnded"): "CHAT-053",
    (DONE, "ChunkSaid"): "CHAT-051",
    (DONE, "AllEnded"): "CHAT-051",
    (DONE, "UsageSaid"): "CHAT-051",
    (DONE, "DoneSaid"): "CHAT-051",
    (DONE, "ErrorSaid"): "CHAT-051",
    (FAILED, "ChunkSaid"): "CHAT-051",
    (FAILED, "AllEnded"): "CHAT-051",
}
