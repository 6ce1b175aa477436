"""What is demanded of the lifetime of checkpoints. It is read from the list of checkpoints, against the time of the same entry: no clock of the
suite enters."""

import datetime
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, mappings
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.listing_expectations import path_of
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

ROUNDED_S = 120.0  # between the time of a checkpoint and the one that its lifetime is counted from


@verb("expires", example="{of: listing, saved: one, lifetime: 7200}")
@dataclass(frozen=True, slots=True)
class Expires(ResponseExpectation[TrainingResponse, TrainingView]):
    """The entry of a checkpoint in the list expires so many seconds after its time, or never."""

    saved: ResponseName = field(default="saved", kw_only=True)
    "The save of the checkpoint."
    lifetime: int = field(default=0, kw_only=True)
    "The lifetime in seconds that was asked for; 0: it never expires."
    provided: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Calls that the target may reject: where one was, nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        path = path_of(view, self.saved, self.provided)
        if not path:
            return None
        entries = [one for one in mappings(response.result.get("checkpoints")) if one.get("tinker_path") == path]
        return self._of(entries[0], path) if len(entries) == 1 else None

    def _of(self, entry: JsonObject, path: str) -> Check | None:
        expires, made = entry.get("expires_at"), moment(entry.get("time"))
        if not self.lifetime:
            return Check(expires is None, f"{show(path)} without expires_at: it never expires", show(expires))
        expected = f"{show(path)} with an expires_at that is {self.lifetime} s after its time {show(entry.get('time'))}"
        at = moment(expires)
        if at is None or made is None:
            return Check(False, expected, show(expires)) if made is not None else None
        return Check(abs((at - made).total_seconds() - self.lifetime) <= ROUNDED_S, expected, show(expires))


def moment(value: object) -> datetime.datetime | None:
    """A time of ISO 8601, as the SDK reads it; without a zone it is one of UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
