"""What names the rollout of a request: the member `rollout_id` (`body`), the key, the URL of the trainer in the start request (`url`), a path
with `{rollout_id}`, or `header:NAME`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from rollout_conformance.rollout_server.common import auth
from rollout_conformance.rollout_server.trainer import errors
from rollout_conformance.rollout_server.trainer.session_store import SessionStore

BODY, KEY, URL, HEADER = "body", "key", "url", "header:"
OWN_PATH = "/of/{rollout_id}"  # in front of the paths of a rollout that its URL names


def prefix(place: str) -> str:
    """The path in front of those of rollout servers, as a route has it; empty where no path names the rollout."""
    return OWN_PATH if place == URL else place if place.startswith("/") else ""


def url(place: str, own: str, rollout_id: str) -> str:
    """The URL of the trainer in a start request."""
    return own + OWN_PATH.replace("{rollout_id}", quote(rollout_id, safe="")) if place == URL else own


def rollout_id_of(place: str, request: Request, body: Mapping[str, Any], sessions: SessionStore) -> str:
    """Raises `ApiError` 401 or 422 for a request that names no rollout, and 401 for the key of none."""
    if place == KEY:
        return _of_key(request, sessions)
    named = body.get("rollout_id") if place == BODY else request.path_params.get("rollout_id")
    if place.startswith(HEADER):
        named = request.headers.get(place.removeprefix(HEADER))
    if not isinstance(named, str):
        raise errors.no_id()
    return named


def _of_key(request: Request, sessions: SessionStore) -> str:
    """The id of the rollout with this key; a key of none names a rollout that there is not yet."""
    values = auth.header_values(request, b"authorization")
    token = auth.bearer_token(values[0]) if len(values) == 1 else None
    if token is None:
        raise errors.unauthorized()
    key = token.decode("utf-8", "replace")
    session = sessions.with_key(key)
    return key if session is None else session.rollout_id
