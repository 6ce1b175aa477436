"""The states of a job and of its stream, as a table, with the requirement that each illegal event breaks.

`worker` is the system under test; `client` is the suite. The events of every dialect are read as these:

    StartedSent       the job has begun (the event `started` of orcd; the other dialects have none)
    TokenSent         one token or more, with text, ids or log probabilities
    MetricsSent       counters or timings
    EndSent           the job ended with a reason: stop or length
    CancelSent        the job ended because it was cancelled: an error CANCELLED, or an end with the reason abort
    ErrorSent         the job failed
    UsageSent         counters in an event of their own, after the terminal
    MarkerSent        data: [DONE]
    StreamClosed      the response body ends
    JobCancelled      the client cancelled the job by its id
    Disconnected      the client closed the connection
"""

from rollout_conformance.contracts.lifecycle import Table

QUEUED, STARTED, STREAMING, CANCELLING = "QUEUED", "STARTED", "STREAMING", "CANCELLING"
ENDED, FAILED, CANCELLED, CLOSED, DISCONNECTED = "ENDED", "FAILED", "CANCELLED", "CLOSED", "DISCONNECTED"

_LAST = {"MarkerSent": CLOSED, "StreamClosed": CLOSED}
_RUNNING = {
    "TokenSent": STREAMING,
    "EndSent": ENDED,
    "ErrorSent": FAILED,
    "CancelSent": CANCELLED,
}


def _table(queued: dict[str, str], started: dict[str, str], ended: dict[str, str]) -> Table:
    """The table of a dialect: what may come first, before the first token, and after the end."""
    return {
        "worker": {
            QUEUED: queued,
            STARTED: {**_RUNNING, **started},
            STREAMING: {**_RUNNING, "MetricsSent": STREAMING},
            CANCELLING: {**_RUNNING, "TokenSent": CANCELLING, "StartedSent": CANCELLING, "MetricsSent": CANCELLING},
            ENDED: {**_LAST, **ended},
            FAILED: {**_LAST, **dict.fromkeys(ended, FAILED)},
            CANCELLED: {**_LAST, **dict.fromkeys(ended, CANCELLED)},
            CLOSED: {"StreamClosed": CLOSED},
            DISCONNECTED: {},
        },
        "client": {
            QUEUED: {"JobCancelled": CANCELLING, "Disconnected": DISCONNECTED},
            STARTED: {"JobCancelled": CANCELLING, "Disconnected": DISCONNECTED},
            STREAMING: {"JobCancelled": CANCELLING, "Disconnected": DISCONNECTED},
            CANCELLING: {"JobCancelled": CANCELLING, "Disconnected": DISCONNECTED},
            ENDED: {},
            FAILED: {},
            CANCELLED: {},
            CLOSED: {},
            DISCONNECTED: {},
        },
    }


# A job that is cancelled while it waits may have no `started`.
ORCD: Table = _table({"StartedSent": STARTED, "CancelSent": CANCELLED}, {"MetricsSent": STARTED}, {})
# Without an event of its own, a job has started when its first token or its end is sent.
NATIVE: Table = _table(
    {**_RUNNING, "StartedSent": STARTED, "MetricsSent": STARTED}, {"MetricsSent": STARTED}, {"UsageSent": ENDED}
)
TABLES: dict[str, Table] = {
    "orcd": ORCD,
    "vllm-generate": NATIVE,
    "sglang": NATIVE,
    "tgi": NATIVE,
    "llamacpp": NATIVE,
}

# The requirement that is broken if the worker emits the event in the state.
BREACHES: dict[tuple[str, str], str] = {
    (QUEUED, "TokenSent"): "WORKER-002",
    (QUEUED, "MetricsSent"): "WORKER-002",
    (QUEUED, "EndSent"): "WORKER-002",
    (QUEUED, "ErrorSent"): "WORKER-056",
    (QUEUED, "StreamClosed"): "WORKER-005",
    (QUEUED, "MarkerSent"): "WORKER-005",
    (STARTED, "StreamClosed"): "WORKER-005",
    (STARTED, "MarkerSent"): "WORKER-005",
    (STARTED, "StartedSent"): "WORKER-007",
    (STREAMING, "StreamClosed"): "WORKER-005",
    (STREAMING, "MarkerSent"): "WORKER-005",
    (STREAMING, "StartedSent"): "WORKER-007",
}
OTHERWISE = "WORKER-006"
