"""Token ids that are rejected where a text would do are no finding: they may be those of another vocabulary."""

from dataclasses import replace

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.cause import cause
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.tests.streams import response
from rollout_conformance.steps.profiles.worker.view import WorkerView

CASE = Case("c", "worker", "llamacpp", ("WORKER-118",), (), Location("scenarios/worker/x.yaml", 3))


@pytest.mark.parametrize(("by_ids", "said"), [(True, "--tokenizer"), (False, "400")])
def test_a_rejection_of_token_ids(by_ids: bool, said: str) -> None:
    job = replace(response("llamacpp", b"", by_ids=by_ids, prompt_ids=(718, 3)), status=400)
    trace = Trace()
    trace.close(trace.open(Request("POST", "/completion"), to_target=True, rollout="-"), Response(400))
    context = WorkerContext(WorkerCard(), None)
    found = cause(CASE, WorkerView(trace, Responses.of([job]), context, worker=context))
    assert found is not None
    assert said in found.reason
    assert (found.finding is None) is by_ids


@pytest.mark.parametrize(("said", "is_found"), [("Token id 9 is out of vocabulary", False), ("no", True)])
def test_a_rejection_where_a_prompt_is_never_a_text(said: str, is_found: bool) -> None:
    job = replace(response("vllm-generate", said.encode(), prompt_ids=(718, 3)), status=400)
    trace = Trace()
    trace.close(trace.open(Request("POST", "/inference/v1/generate"), to_target=True, rollout="-"), Response(400))
    context = WorkerContext(WorkerCard(), None)
    found = cause(CASE, WorkerView(trace, Responses.of([job]), context, worker=context))
    assert found is not None
    assert (found.finding is not None) is is_found
