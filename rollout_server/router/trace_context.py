"""W3C Trace Context: the router adds no span, so it forwards the headers unchanged, and records the trace id.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers

PARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<id>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)
STATE = re.compile(r"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class Trace:
    id: str
    headers: Mapping[str, str]


def of(headers: Headers) -> Trace | None:
    """None without a valid traceparent: then tracestate is dropped, too."""
    given = headers.getlist("traceparent")
    found = PARENT.fullmatch(given[0]) if len(given) == 1 else None
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    state = ",".join(headers.getlist("tracestate"))
    more = {"tracestate": state} if STATE.fullmatch(state) else {}
    return Trace(found["id"], {"traceparent": given[0], **more})
