"""Which responses a word means, and what a case may say of responses that it does not have."""

from dataclasses import dataclass

import pytest

from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.findings import Finding, Location, Satisfied
from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.http.expectations import ErrorObject, Header, JsonMember, SameBody, Status
from rollout_conformance.steps.http.json_path import found_at
from rollout_conformance.steps.http.metrics import MetricChange, rises, samples, total
from rollout_conformance.steps.http.references import unknown_references
from rollout_conformance.steps.http.requests import Pause, Send
from rollout_conformance.steps.http.responses import KeptResponse, Responses

HERE = Location("x.yaml", 1)


@dataclass(frozen=True, slots=True)
class View:
    responses: "Responses[KeptResponse]"

    def named(self, *words: str) -> list[KeptResponse]:
        return self.responses.named(*words)


def kept(name: str, n: int, status: int | None = 200, body: object = None, **more: object) -> KeptResponse:
    return KeptResponse(name, n, {}, status, body, **more)  # type: ignore[arg-type]


def case(*names: str) -> "Responses[KeptResponse]":
    """Responses to requests that were sent in this order, and answered in the reverse one."""
    found: Responses[KeptResponse] = Responses()
    reserved = [found.reserve(name) for name in names]
    for n, name in reversed(list(enumerate(reserved))):
        found.keep(kept(name, n))
    return found


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("it", ["request 3"]),
        ("first", ["request 1"]),
        ("second", ["b#1", "b#2"]),
        ("third", ["request 3"]),
        ("fourth", []),
        ("b", ["b#1", "b#2"]),
        ("b#2", ["b#2"]),
        ("c", []),
        ("all", ["request 1", "b#1", "b#2", "request 3"]),
    ],
)
def test_a_word_means_responses_in_the_order_of_their_requests(word: str, meant: list[str]) -> None:
    found = case("", "b#1", "b#2", "")
    assert [one.name for one in found.named(word)] == meant
    assert {one.name for one in found if found.means([word], one)} == set(meant)


def test_a_request_that_is_still_under_way_is_not_the_last_response() -> None:
    found = case("a")
    found.reserve()
    assert [one.name for one in found.named("it")] == ["a"]


def test_a_later_response_of_a_name_replaces_the_earlier_one_in_its_place() -> None:
    found = case("a", "b")
    found.keep(kept("a", 7, 503))
    assert [(one.name, one.n) for one in found.named("first", "it")] == [("a", 7), ("b", 1)]


@pytest.mark.parametrize(
    ("of", "wrong"),
    [
        (("it",), ""),
        (("first", "b"), ""),
        (("both",), ""),
        (("third",), "of: the third response is meant, and the case sends 2 request(s) before"),
        (("c",), "of: unknown response 'c'"),
    ],
)
def test_a_demand_on_a_response_that_no_request_brings_is_a_mistake(of: tuple[str, ...], wrong: str) -> None:
    steps = [Step(what, HERE) for what in (Send("/x"), Pause(0), Send("/y", name="b"), Status(of=of))]
    found = [told for _, told in unknown_references(steps)]
    assert len(found) == bool(wrong)
    assert all(told.startswith(wrong) for told in found)


def test_both_are_two() -> None:
    steps = [Step(what, HERE) for what in (Send("/x"), Status(of=("both",)))]
    assert "1 requests" in next(unknown_references(steps))[1]


RESPONSE = kept(
    "a",
    4,
    429,
    {"error": {"message": "no"}, "data": [{"id": "x", "usage": {"total": 7}}]},
    headers=(("retry-after", "3"), ("x-empty", "")),
)
RIGHT = [
    Status((429,)),
    Status((200, "4xx")),
    Header("Retry-After"),
    Header("Retry-After", ("2", "3")),
    JsonMember("error.message"),
    JsonMember("data[0].id", ("x", "y")),
    JsonMember("..total", (7,)),
    JsonMember("data[1].id", present=False),
    JsonMember("data[0].id", none_of=("y",)),
    ErrorObject(),
    SameBody(),
]
WRONG = [
    Status(),
    Status(("5xx",)),
    Header("X-Empty"),
    Header("Retry-After", ("2",)),
    Header("Location"),
    JsonMember("error.code"),
    JsonMember("data[0].id", ("y",)),
    JsonMember("..total", (8,)),
    JsonMember("error", present=False),
    JsonMember("data[0].id", none_of=("x",)),
]


@pytest.mark.parametrize("demand", RIGHT, ids=repr)
def test_what_is_right_is_satisfied(demand: Status) -> None:
    assert list(demand.judge(View(Responses.of([RESPONSE])), "X-1")) == [Satisfied("X-1")]


@pytest.mark.parametrize("demand", WRONG, ids=repr)
def test_what_is_wrong_is_a_finding_at_its_exchange(demand: Status) -> None:
    found = list(demand.judge(View(Responses.of([RESPONSE])), "X-1"))
    assert [type(one) for one in found] == [Finding]
    assert isinstance(found[0], Finding)
    assert found[0].exchanges == (4,)


def test_bodies_that_differ_are_shown() -> None:
    view = View(Responses.of([kept("a", 0, body={"a": 1}), kept("b", 1, body={"a": 2})]))
    assert list(SameBody().judge(view, "X-1")) == [Finding("X-1", '{"a":1}', '{"a":2}', (0, 1))]


@pytest.mark.parametrize(
    ("path", "value"), [("a.b[1]", 3), ("..b[0]", 2), ("a.c", ABSENT), ("a.b[9]", ABSENT), ("d[0][1].e", 4)]
)
def test_a_path_leads_to_a_member(path: str, value: object) -> None:
    assert found_at({"a": {"b": [2, 3]}, "d": [[0, {"e": 4}]]}, path) == value


def test_what_is_no_path_is_told() -> None:
    with pytest.raises(ValueError, match="is no path"):
        found_at({}, "a]")


PAGE = """# HELP vllm:running requests
vllm:running{model="a} b"} 2
vllm:running{model="c"} 1.5e0 1700000000
tokens_total 7
broken 1.2.3
nan NaN
"""


def test_a_page_of_metrics_is_parsed_and_summed() -> None:
    found = samples(PAGE)
    assert found['vllm:running{model="a} b"}'] == 2
    assert "broken" not in found
    assert total(found, "vllm:running") == 3.5
    assert total(found, "absent") is None


def test_only_metrics_that_changed_by_a_number_rise() -> None:
    new = samples(PAGE.replace("tokens_total 7", "tokens_total 9") + "new 4\n")
    assert rises(samples(PAGE), new) == {"tokens_total": 2, "new": 4}


def test_a_change_is_that_of_any_metric() -> None:
    pages = [kept("a", 0, raw=b"x 1\n"), kept("b", 1, raw=b"x 3\n")]
    assert MetricChange("a", "b", 2).judge(View(Responses.of(pages)), "X-1") == [Satisfied("X-1")]
    found = MetricChange("a", "b", 3).judge(View(Responses.of(pages)), "X-1")
    assert found == [Finding("X-1", "a metric that rose by 3", "x by 2", (0, 1))]


class Unreadable(KeptResponse):
    @property
    def is_readable(self) -> bool:
        return False


def test_a_success_that_is_not_what_was_requested_is_wrong_with_its_reason() -> None:
    kept = Unreadable("a", 0, {"model": "m"}, 200, NotJson("it is empty"))
    (found,) = Status().judge(View(Responses.of([kept])), "X-1")
    assert isinstance(found, Finding)
    assert "it is empty" in found.observed
