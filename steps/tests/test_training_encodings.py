"""A training API that speaks one of the two encodings of tinker, greeted in the other: the message names the dialect that it speaks."""

import json

import pytest

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.tests.test_probe import INVALID, NOT_FOUND, Answer, answer, refusal

EVALUATION = "evaluation"
PREPARED = {
    "/api/v1/get_server_capabilities": {"supported_models": ["m"]},
    "/api/v1/create_session": {"session_id": "s"},
    "/api/v1/create_model": {"request_id": "model"},
    "/api/v1/forward": {"request_id": EVALUATION},
    "/api/v1/forward_backward": {"request_id": EVALUATION},
}


def api(refused: tuple[str, ...], status: int, result: Response) -> Answer:
    """A training API that refuses evaluations in these media types, and returns this as the result of one."""

    def answers(request: Request) -> Response:
        if request.path == "/api/v1/retrieve_future":
            about_model = json.loads(request.body)["request_id"] == "model"
            return answer(200, {"type": "create_model", "model_id": "id"}) if about_model else result
        if request.path not in PREPARED:
            return NOT_FOUND
        evaluates = "forward" in request.path
        return (
            answer(status, "no")
            if evaluates and request.header("content-type") in refused
            else answer(200, PREPARED[request.path])
        )

    return answers


IN_PROTOBUF = Response(200, (("content-type", CONTENT_TYPE),), b"\x0a\x00")
NONE = answer(406, "no")


@pytest.mark.parametrize("dialect", [None, "tinker-json"])
@pytest.mark.parametrize("status", [400, 404, 415, 500])
def test_protobuf_alone(dialect: str | None, status: int) -> None:
    told = refusal(api(("application/json",), status, IN_PROTOBUF), profile="training", dialect=dialect)
    assert f"answered {status}" in told
    assert told.endswith("if the target takes it in protobuf alone, give --dialect tinker")


@pytest.mark.parametrize("dialect", [None, "tinker-json"])
def test_results_in_protobuf(dialect: str | None) -> None:
    told = refusal(api((), 200, IN_PROTOBUF), profile="training", dialect=dialect)
    assert told.endswith("in protobuf (application/x-protobuf), which is the dialect tinker: give --dialect tinker")


@pytest.mark.parametrize("status", [400, 404, 415, 500])
def test_json_alone(status: int) -> None:
    told = refusal(api((CONTENT_TYPE,), status, NONE), profile="training", dialect="tinker")
    assert told.endswith("if the target takes JSON alone, give --dialect tinker-json")


def test_results_in_json_alone() -> None:
    told = refusal(api((), 200, NONE), profile="training", dialect="tinker")
    assert told.endswith("if the target takes JSON alone, give --dialect tinker-json")


@pytest.mark.parametrize("dialect", ["tinker", "tinker-json"])
def test_a_refusal_of_another_kind_names_no_dialect(dialect: str) -> None:
    def answers(request: Request) -> Response:
        return INVALID if request.path == "/api/v1/create_session" else api((), 200, NONE)(request)

    assert "--dialect tinker" not in refusal(answers, profile="training", dialect=dialect)
