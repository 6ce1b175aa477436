"""A list of a tenant that is read to its end, page after page, as a client does that looks for something it made long ago."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import COPY, responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, keep, sent
from rollout_conformance.steps.profiles.training.context import TrainingSession
from rollout_conformance.steps.profiles.training.listing_expectations import MOST_PAGES, ids_in
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Call

LIMIT = 100  # entries of a page; a server may return fewer


@verb("all_pages", short="path", example=("/api/v1/sessions", "{path: /api/v1/checkpoints, name: pages}"))
@dataclass(frozen=True, slots=True)
class AllPages(NamedRequest):
    """Read a list page after page: until one has nothing new, or as many entries were read as the cursor counts. The responses are called name#1,
    name#2 and so on."""

    path: str
    "The path of the list."

    async def perform(self, session: TrainingSession) -> None:
        name, seen, offset = responses_of(session).reserve(self.name), set[str](), 0
        for n in range(1, MOST_PAGES + 1):
            call = Call(f"{self.path}?limit={LIMIT}&offset={offset}", None, "GET")
            page = keep(session, f"{name}{COPY}{n}", await sent(session, call), call, Meaning("send"))
            ids = ids_in(page)
            if page.outcome != "done" or not set(ids) - seen:
                return
            seen |= set(ids)
            offset += len(ids)
            if offset >= _total(page, offset + 1):
                return


def _total(page: TrainingResponse, default: int) -> int:
    total = mapping(page.result.get("cursor")).get("total_count")
    return total if isinstance(total, int) else default
