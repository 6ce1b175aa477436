"""What names the rollout of a request to a trainer (`rollout_id_in:` on its card), and the request that names one so. Pure.

body         the member `rollout_id`
key          the API key: one for each rollout
url          the `server_url` of the start request: one for each rollout
/PATH        a path with `{rollout_id}`, in front of `/v1/chat/completions`
header:NAME  that header
"""

from dataclasses import dataclass

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.engine.trace import Headers
from rollout_conformance.steps.profiles.trainer.card import BODY
from rollout_conformance.steps.profiles.trainer.state import RolloutState

KEY, URL, HEADER = "key", "url", "header:"
ID = "{rollout_id}"


@dataclass(frozen=True, slots=True)
class Naming:
    """What a request has beside its own members: those of the body, headers, and a path in front of its own. `base_url` is the address that
    it goes to, empty for that of the target."""

    members: dict[str, object]
    headers: Headers
    base_url: str
    path: str


def naming(place: str, part: RolloutState, rollout_id: str) -> Naming:
    """A request for a rollout: `rollout_id` is its own, or another one that a case sends instead. The key is that of the request itself."""
    base_url = _base_url(place, part, rollout_id)
    path = place.replace(ID, path_segment(rollout_id)).rstrip("/") if is_path(place) else ""
    members: dict[str, object] = {"rollout_id": rollout_id} if place == BODY else {}
    headers = ((place.removeprefix(HEADER), rollout_id),) if place.startswith(HEADER) else ()
    return Naming(members, headers, base_url, path)


def is_path(place: str) -> bool:
    return place.startswith("/")


def names_another(place: str, part: RolloutState, rollout_id: str) -> bool:
    """Whether a request can name another rollout than `part`: a URL that does not show the id of its rollout gives no other URL."""
    return place != URL or _base_url(place, part, rollout_id) != _base_url(place, part, part.rollout_id)


def _base_url(place: str, part: RolloutState, rollout_id: str) -> str:
    given = part.base_url
    if place == URL and part.hosted is not None:
        given = text(part.hosted.body.get("server_url")).rstrip("/") or given
    own = path_segment(part.rollout_id)
    return given.replace(own, path_segment(rollout_id)) if place == URL and own else given
