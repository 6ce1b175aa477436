"""The order of calls of one model as a table for each dialect, and the states of a run, a future and a checkpoint.

`client` is the side that calls; the server computes and returns. In CLEAN there are no gradients, in GRADED there are. A step without gradients
changes nothing or is rejected (TRAINING-007, TRAINING-138), and a load discards gradients in some servers only: both are calls of CLEAN or
GRADED that the tables leave out.
"""

from collections.abc import Mapping

from rollout_conformance.contracts.lifecycle import Table, stay

ABSENT, CLEAN, GRADED, ENDED = "ABSENT", "CLEAN", "GRADED", "ENDED"


TINKER_JSON: Table = {
    "client": {
        ABSENT: {"CreateModel": CLEAN},
        CLEAN: {
            "ForwardBackward": GRADED,
            **stay(CLEAN, "Forward", "Save", "Load", "Sample"),
            "Unload": ENDED,
        },
        GRADED: {
            "OptimStep": CLEAN,
            **stay(GRADED, "ForwardBackward", "Forward", "Save", "Sample"),
            "Unload": ENDED,
        },
        ENDED: {},
    }
}

SIGNAL: Table = {
    "client": {
        ABSENT: {"CreateRun": CLEAN},
        CLEAN: {"ForwardBackward": GRADED, **stay(CLEAN, "Save", "Sample"), "Complete": ENDED},
        GRADED: {
            "OptimStep": CLEAN,
            **stay(GRADED, "ForwardBackward", "ForwardBackwardAnew", "Save", "Sample"),
            "Complete": ENDED,
        },
        ENDED: {"Complete": ENDED},
    }
}

TABLES: dict[str, Table] = {"signal": SIGNAL, "tinker-json": TINKER_JSON, "tinker": TINKER_JSON}

RUN: Mapping[str, tuple[str, ...]] = {
    "created": ("running", "failed"),
    "running": ("paused", "completed", "failed"),
    "paused": ("running", "completed", "failed"),
    "completed": (),
    "failed": (),
}
"""The states of a run, each with those that may follow it."""

FUTURE: Mapping[str, tuple[str, ...]] = {
    "pending": ("done", "failed", "gone"),
    "done": ("gone",),
    "failed": ("gone",),
    "gone": (),
}
"""The states of a future. A result is the same bytes for as long as it is there (TRAINING-027)."""

CHECKPOINT: Mapping[str, tuple[str, ...]] = {"saved": ("replaced", "deleted"), "replaced": (), "deleted": ()}
"""The states of a checkpoint. It is replaced only by a save with `overwrite` (TRAINING-020)."""
