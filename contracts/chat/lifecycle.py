"""The life of a chat request, and of the stream that answers one, as tables; and the requirement that each disorder breaks.

`engine` is the system that is judged, `client` who asks it. REQUEST is one exchange. STREAM is what its chunks say, in the order in which
they come; a stream of several choices has one CHOICE beside it for each, because choices are sampled side by side. A chunk may be
several events of a choice: `RoleSaid` and `PieceSaid`, or `PieceSaid` and `EndSaid`.

    RoleSaid, PieceSaid, EndSaid    a part of `choices`: its role, anything of its message, its finish_reason
    ChunkSaid, AllEnded             a chunk with choices, after which one is open, or none is
    UsageSaid                       a chunk without choices that has usage
    DoneSaid                        data: [DONE]
    ErrorSaid                       data: {"error": ...}
    BrokenOff                       the stream ends and has not said that it does
    Left                            the client hung up
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

# Which requirement is broken when the engine emits the event in the state. A stream that fails or breaks off says so, and keeps to the
# table; whether it should have failed is for the case to say.
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
