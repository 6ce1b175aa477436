"""Both seams of a rollout in one proxy: the start request goes to the rollout server, and what that sends to the trainer comes back here,
because the URLs of the trainer in the start request are replaced by the recorder's."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from rollout_conformance.contracts.rollout.wire_leased import LEASE_HEADER
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.engine.trace import Request, parse
from rollout_conformance.steps.peers.reverse_proxy import Passed, Route
from rollout_conformance.steps.profiles import recording
from rollout_conformance.steps.profiles.recording import Recorded
from rollout_conformance.steps.profiles.rollout.recording.document import recorded
from rollout_conformance.steps.profiles.rollout.recording.rollout import RecordedRollout, json_of
from rollout_conformance.steps.profiles.rollout.start_request import KEY_NAME, START_PATH

BACK = re.compile(r"/recorded/(\d{1,9})/([a-z_]+)(.*)", re.S)  # a request of the rollout server to the trainer
RESULT = re.compile(r"/rollout/([^/?]+)/result(?:\?.*)?")
CANCEL = "/rollout/cancel"
URL = re.compile(r"(?i)https?://[^\s/?#@]+(?:/[^\s?#]*)?")
TRAINER_URLS = {
    "sync": ("server_url",),
    "callback": ("server_url",),
    "routed": ("chat_completions_url", "completion_callback_url", "grader_callback_url"),
    "leased": ("chat_completions_url",),
}
KEYS = (*KEY_NAME.values(), "controller_api_key", "polling_lease_token")


def dialect_of(path: str, body: object) -> str | None:
    """The dialect of a start request; None for any other request."""
    if not isinstance(body, dict):
        return None
    for dialect in ("callback", "sync", "routed", "leased"):
        urls = [name for name in TRAINER_URLS[dialect] if name != "grader_callback_url"]
        if path == START_PATH[dialect] and all(_is_replaceable(body.get(name)) for name in urls):
            return dialect
    return None


def _is_replaceable(url: object) -> bool:
    """Whether an address of the recorder can stand in place of a URL: any other one is forwarded as it is, for the target to reject."""
    return isinstance(url, str) and URL.fullmatch(url) is not None


class RolloutRecorder:
    """Recordings of rollouts at one server."""

    def __init__(self, target: str) -> None:
        self.target = target.rstrip("/")
        self.own_url = ""
        self.rollouts: dict[int, RecordedRollout] = {}
        self.counter = itertools.count(1)

    def route(self, request: Request) -> Route | None:
        recording.remember_headers(request)
        recording.remember(request.header(LEASE_HEADER.lower()))
        back = BACK.fullmatch(request.path)
        if back is not None:
            return self._to_trainer(request, self.rollouts.get(int(back[1])), back[2], back[3])
        body = parse(request.body) if request.method == "POST" else None
        dialect = dialect_of(request.path.partition("?")[0], body)
        url = self.target + request.path
        if dialect is not None and isinstance(body, dict):
            return self._start(request, url, dialect, body)
        return Route(url, request.body, self._listener(request, body))

    def ended(self) -> Iterator[Recorded]:
        yield from self._taken(lambda rollout: rollout.ended)

    def rest(self) -> Iterator[Recorded]:
        yield from self._taken(lambda rollout: True)

    def _taken(self, wanted: Callable[[RecordedRollout], bool]) -> Iterator[Recorded]:
        for rollout in self.rollouts.values():
            if not rollout.taken and wanted(rollout):
                rollout.taken = True
                yield recorded(rollout)

    def _start(self, request: Request, url: str, dialect: str, body: Mapping[str, object]) -> Route:
        for name in KEYS:
            recording.remember(body.get(name))
        rollout = self._rollout(dialect, body)
        own = f"{self.own_url}/recorded/{rollout.number}"
        changed = {name: f"{own}/{name}{'/' if given.endswith('/') else ''}" for name, given in rollout.urls.items()}
        return Route(url, json.dumps({**body, **changed}).encode(), partial(self._started, rollout))

    def _rollout(self, dialect: str, body: Mapping[str, Any]) -> RecordedRollout:
        """The rollout of a start request. The same request, sent again, is of the same rollout."""
        known = next((one for one in self.rollouts.values() if one.start == body and not one.taken), None)
        if known is not None:
            return known
        urls = {name: body[name] for name in TRAINER_URLS[dialect] if _is_replaceable(body.get(name))}
        made = RecordedRollout(next(self.counter), dialect, body, urls)
        self.rollouts[made.number] = made
        return made

    def _started(self, rollout: RecordedRollout, passed: Passed) -> None:
        rollout.starts.append(passed)
        recording.remember(json_of(passed).get("polling_lease_token"))

    def _to_trainer(self, request: Request, rollout: RecordedRollout | None, member: str, rest: str) -> Route | None:
        if rollout is None or member not in rollout.urls:
            return None
        path = rest.partition("?")[0]
        if path.endswith("/chat/completions"):
            kept = rollout.generations
        elif member == "grader_callback_url" or path.endswith("/rollout/graded"):
            kept = rollout.grades
        else:
            kept = rollout.callbacks
        return Route(rollout.urls[member].rstrip("/") + rest, request.body, kept.append)

    def _listener(self, request: Request, body: object) -> Callable[[Passed], None]:
        """Who hears of a request that starts no rollout: the one whose result it requests, or those that it cancels."""
        path = request.path.partition("?")[0]
        if request.method == "POST" and path == CANCEL:
            self._cancel(body if isinstance(body, dict) else {})
        asked = RESULT.fullmatch(path) if request.method == "GET" else None
        of = [one for one in self.rollouts.values() if asked is not None and one.rollout_id == asked[1]]
        return of[-1].polls.append if of else lambda passed: None

    def _cancel(self, body: Mapping[str, object]) -> None:
        prefix = body.get("prefix")
        for rollout in self.rollouts.values():
            by_prefix = isinstance(prefix, str) and rollout.rollout_id.startswith(prefix)
            if body.get("all") is True or rollout.rollout_id in listed(body.get("ids")) or by_prefix:
                rollout.cancel_requested = True
