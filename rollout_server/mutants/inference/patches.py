"""Patches that several mutants of this server share."""

import json
from typing import Any

from rollout_conformance.rollout_server.inference.wire import ChatRequest


def with_changes(request: ChatRequest, **changes: Any) -> ChatRequest:
    return request.model_copy(update=changes)


def compact(arguments: Any) -> Any:
    """JSON text written anew, without a blank; anything else as it is."""
    try:
        return json.dumps(json.loads(arguments), separators=(",", ":"))
    except (TypeError, ValueError):
        return arguments
