"""JSON responses."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from rollout_conformance.rollout_server.common import json_text


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json_text.dumps(value), status, headers, "application/json")
