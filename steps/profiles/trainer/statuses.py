"""The statuses that a case demands: 200, 4xx for any of its class, and any status that rejects a request for another that does."""

import re
from typing import Annotated

from rollout_conformance.steps.engine.verb_parsing import Written, amount

REJECTIONS = (400, 401, 403, 404, 422)
RETRY_LATER = (408, 425, 429)  # these demand that the same request is sent once more
PATTERN = "^[1-5]xx$"


def _read(written: object) -> int | str:
    if isinstance(written, int) and not isinstance(written, bool):
        amount("status", written)
        return written
    if isinstance(written, str) and re.fullmatch(PATTERN, written):
        return written
    raise ValueError(f"{written!r} is not a status; write 422, or 4xx for all that begin with 4")


Status = Annotated[
    int | str,
    Written(
        _read,
        {
            "anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": PATTERN}],
            "description": "status",
        },
    ),
]


def fits(status: int | None, expected: int | str) -> bool:
    """Frameworks differ on which status rejects a request, so that each of `REJECTIONS` stands for all of 4xx but `RETRY_LATER`."""
    if isinstance(expected, str):
        return status is not None and status // 100 == int(expected[0])
    if expected in REJECTIONS and status is not None:
        return 400 <= status < 500 and status not in RETRY_LATER
    return status == expected
