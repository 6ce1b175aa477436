"""Patches that several mutants of this server share."""

import json
from typing import Any

from rollout_conformance.rollout_server.inference.wire import ChatRequest


def with_changes(request: ChatRequest, **changes: Any) -> ChatRequest:
    return request.model_copy(update=changes)


def compact(arguments: Any) -> Any:
    """JSON text serialized without spaces; any other value unchanged."""
    try:
        return json.dumps(json.loads(arguments), separators=(",", ":"))
    except (TypeError, ValueError):
        return arguments
