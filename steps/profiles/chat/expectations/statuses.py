"""Whether a request was answered at all, and the list of models."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors, ResponseExpectation
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView


@verb("rejected", short="of", example=("first", "[first, second]"))
@phrase("{of:responses} is rejected")
@phrase("{of:several_responses} are rejected")
@dataclass(frozen=True, slots=True)
class Rejected(JudgesErrors, ResponseExpectation):
    """The request is rejected with 4xx. A request that is too long decides nothing where the server does not report how much it takes."""

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if response.exceeds_context and response.status == 200 and not view.context.knows_context:
            return None
        return Check(response.is_client_error, "a 4xx", response.shown())


@verb("lists_models", short="of", example="it")
@dataclass(frozen=True, slots=True)
class ListsModels(ResponseExpectation):
    """The body is a list of models, each with an id."""

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        models = [one.get("id") for one in mappings(response.fields.get("data"))]
        ok = bool(models) and all(isinstance(name, str) and name for name in models)
        return Check(ok, "data: a list of models, each with an id", show(response.body))
