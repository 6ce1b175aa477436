"""The probe: for each way in which nothing can be judged one message that ends in what to do, and no refusal of what can be judged."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import probe, smoke_check
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.runner import Runner
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request as HttpRequest
from rollout_conformance.steps.engine.trace import Response
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.scripted_rollout_server import ScriptedPlay
from rollout_conformance.steps.profiles import DEFAULT, PROFILES
from rollout_conformance.steps.run_setup import RunOptions, ready

JSON = (("content-type", "application/json"),)
KEY = "a-key-of-ours"
Answer = Callable[[HttpRequest], Response]


def answer(status: int, body: Any = None, **headers: str) -> Response:
    told = body if isinstance(body, str) else json.dumps(body)
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (*JSON, *more), told.encode())


INVALID = answer(401, {"detail": "Invalid API key"})
REPLY = answer(
    200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}]}
)
NOT_FOUND = answer(404, {"detail": "Not Found"})


class Target:
    """A target that answers everything by one function."""

    def __init__(self, answers: Answer) -> None:
        self.answers = answers

    def receive(self, request: HttpRequest) -> ScriptedPlay:
        return ScriptedPlay(self.answers(request))


def always(response: Response) -> Answer:
    return lambda request: response


def at(path: str, response: Response) -> Answer:
    """This answer at one path, 404 at all others."""
    return lambda request: response if request.path == path else NOT_FOUND


def played(answers: Answer, card: dict[str, Any] | None = None, **options: Any) -> tuple[str, ...]:
    """The dialects that are judged, and what is said of them. Raises `SuiteError` as a run does."""

    async def play() -> tuple[str, ...]:
        async with asgi_binding.serve(Target(answers)) as url:
            kind = PROFILES[str(options.get("profile", DEFAULT))].card
            described = kind.model_validate({"patience_s": 0.2, "settle_s": 0, **(card or {})})
            async with ready(RunOptions(target=url, described=described, **options)) as run:
                assert all(places.total == places.most for places in run.runner.limiters.values())
                return (*run.dialects, *run.remarks)

    return asyncio.run(play())


@pytest.fixture(autouse=True)
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the target says may take places from a run here, not that this machine is busy."""
    monkeypatch.setattr(Runner, "_slower", lambda runner: None)


def refusal(answers: Answer, **options: Any) -> str:
    with pytest.raises(SuiteError) as told:
        played(answers, **options)
    return str(told.value)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """For targets that stay silent or busy: the longer they are waited for, the longer the test, and nothing else."""
    monkeypatch.setattr(probe, "SILENCE_S", 0.2)
    monkeypatch.setattr(probe, "LONGEST_S", 1.0)


def test_a_target_that_asks_for_a_key() -> None:
    told = refusal(always(INVALID))
    assert told.endswith('every start is answered 401 {"detail": "Invalid API key"}: give the key with --target-key')
    assert told.count("every start") == 1
    assert "sync" not in told  # none of its dialects was shown


def test_a_target_that_refuses_the_key() -> None:
    told = refusal(always(answer(403, {"detail": f"{KEY} may not"})), target_key=KEY)
    assert told.endswith(
        'every start is answered 403 {"detail": "*** may not"}: the key given with --target-key is refused'
    )


def test_a_key_on_the_card_is_named_as_such() -> None:
    assert refusal(always(INVALID), card={"key": KEY}).endswith("the key on the card is refused")


def test_a_redirect_is_shown_with_its_location() -> None:
    told = refusal(always(answer(307, "", location="https://elsewhere.example/rollout")))
    assert "every start is answered 307 with Location https://elsewhere.example/rollout" in told
    assert "--target" in told


def test_an_error_page_is_told_by_its_status() -> None:
    page = Response(503, (("content-type", "text/html"),), b"<h1>503</h1>\n<p>Backend fetch failed</p>")
    assert "every start is answered 503 <h1>503</h1> <p>Backend fetch failed</p>" in refusal(always(page))


@pytest.mark.parametrize("status", [404, 405])
def test_a_target_without_the_paths(status: int) -> None:
    told = refusal(always(answer(status, {"detail": "nothing here"})))
    assert f'POST /v1/rollout/init is answered {status} {{"detail": "nothing here"}}' in told
    assert "Is this a rollout server?" in told


def test_an_error_is_shown_with_its_first_200_characters() -> None:
    told = refusal(always(answer(500, "Internal\nServer Error " + "x" * 5000)))
    shown = re.search(r"every start is answered 500 (Internal Server Error x+)\.\.\.: ", told)
    assert shown is not None
    assert len(shown[1]) == 200


def test_a_refusal_names_the_member_and_the_option() -> None:
    detail = [{"loc": ["body", "tokenizer_name"], "msg": "unknown tokenizer", "type": "value_error"}]
    told = refusal(at("/rollout", answer(422, {"detail": detail})))
    assert "it names the member `tokenizer_name`; give the name" in told
    assert "--tokenizer-name" in told


def test_a_lease_is_told_as_what_it_is(hasty: None) -> None:
    told = refusal(
        lambda request: (
            answer(202, {"rollout_id": "r", "polling_lease_token": "t"})
            if request.path in ("/rollout", "/rollout/cancel")
            else NOT_FOUND
        )
    )
    assert told.endswith(
        "the target answers with a lease (polling_lease_token): its results are fetched, which is the dialect leased "
        "(--dialect leased)"
    )


@pytest.mark.parametrize("path", ["/rollout", "/v1/rollout/init"])
def test_a_start_after_which_nothing_arrives(path: str, hasty: None) -> None:
    told = refusal(at(path, answer(202, {"rollout_id": "r", "tools": []})))
    assert re.search(
        r"no request arrived at http://127\.0\.0\.1:\d+ within 0\.2 s: can the target reach --listen\?$", told
    )


def test_an_error_about_the_tokenizer_names_the_option() -> None:
    failed = {
        "status": "ERROR",
        "error_message": "/x/tokenizer is not a local folder and is not a valid model identifier",
    }
    told = refusal(at("/rollout", answer(200, failed)))
    assert "a plain rollout ends in ERROR: /x/tokenizer is not a local folder" in told
    assert "--tokenizer-name" in told


def test_an_error_that_is_for_the_cases_is_only_told() -> None:
    failed = {"status": "ERROR", "error_message": "Negative token count"}
    assert played(at("/rollout", answer(200, failed))) == (
        "sync",
        "dialect sync: a plain rollout ends in ERROR: Negative token count",
    )


def test_a_busy_target_is_asked_again() -> None:
    left = [429, 503]

    def busy(request: HttpRequest) -> Response:
        if request.body not in (b"", b"{}") and left:
            return answer(left.pop(0), {"detail": "full"}, retry_after="0.05")
        return answer(200, {"status": "COMPLETED"}) if request.path == "/rollout" else NOT_FOUND

    assert played(busy) == ("sync",)
    assert left == []


def test_a_target_that_stays_busy(hasty: None) -> None:
    told = refusal(at("/rollout", answer(503, {"detail": "full"}, retry_after="0.1")))
    assert 'every start is answered 503 with Retry-After 0.1 {"detail": "full"}' in told
    assert "run again" in told


def test_one_dialect_of_two_is_judged() -> None:
    def answers(request: HttpRequest) -> Response:
        if request.path == "/rollout":
            return answer(200, {"status": "COMPLETED"})
        return answer(500, "boom") if request.path == "/v1/rollout/init" else NOT_FOUND

    dialect, told = played(answers)
    assert dialect == "sync"
    assert told.startswith("dialect callback is not judged: every start is answered 500 boom")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, "this trainer has no control API (contracts/trainer/openapi.yaml): POST /rollouts is answered 404"),
        (401, "every control request is answered 401"),
    ],
)
def test_a_trainer_that_cannot_be_judged(status: int, told: str) -> None:
    assert told in refusal(_control(status), profile="trainer")


def test_a_trainer_that_does_not_reach_our_server(hasty: None) -> None:
    told = refusal(_control(202), profile="trainer")
    assert "POST /rollouts is answered 202, but no request arrived at http://127.0.0.1:" in told
    assert told.endswith("within 0.2 s: can the target reach --listen?")


def _control(status: int) -> Answer:
    def answers(request: HttpRequest) -> Response:
        return answer(status, {"detail": "no"}) if request.path == "/rollouts" else answer(422, {"detail": "messages"})

    return answers


def test_a_chat_server_that_asks_for_a_model() -> None:
    def answers(request: HttpRequest) -> Response:
        if request.path != "/v1/chat/completions":
            return NOT_FOUND
        named = json.loads(request.body).get("model") == "m"
        return REPLY if named else answer(400, {"error": {"message": "bad request"}})

    told = refusal(answers, profile="chat")
    assert "give --model NAME" in told
    assert "bad request" in told
    assert played(answers, profile="chat", model="m") == ("openai",)
    assert played(answers, profile="chat", card={"model": "m"}) == ("openai",)


def test_a_chat_server_with_another_model() -> None:
    def answers(request: HttpRequest) -> Response:
        if request.path == "/v1/models":
            return answer(200, {"data": [{"id": "one"}, {"id": "two"}]})
        return answer(404, {"error": {"message": f"no model {json.loads(request.body)['model']}"}})

    assert "it does not serve the model three (404" in refusal(answers, profile="chat", model="three")
    assert "it lists one, two" in refusal(answers, card={"models": "/v1/models"}, profile="chat", model="three")
    assert "give another --model" in refusal(answers, profile="chat", model="three")  # the list is not requested
    (dialect, told) = played(answers, profile="chat")  # it lists what it does not serve: that is for the cases
    assert (dialect, "it lists the model one" in told) == ("openai", True)


@pytest.mark.parametrize("profile", ["chat", "router"])
@pytest.mark.parametrize(
    ("response", "told"),
    [
        (INVALID, 'every greeting is answered 401 {"detail": "Invalid API key"}: give the key with --target-key'),
        (answer(308, "", location="/v2"), "every greeting is answered 308 with Location /v2"),
        (answer(500, "boom"), "every greeting is answered 500 boom"),
    ],
)
def test_a_chat_that_cannot_be_judged(profile: str, response: Response, told: str) -> None:
    assert told in refusal(always(response), profile=profile)


def test_a_router_without_its_backends() -> None:
    told = refusal(always(answer(503, {"error": "no backend"})), profile="router", model="m")
    assert 'every greeting is answered 503 {"error": "no backend"}, and none reaches a backend of the suite (' in told
    assert "model m): configure it for these backends" in told


def test_a_router_in_front_of_other_backends() -> None:
    assert "none reaches a backend of the suite" in refusal(always(REPLY), profile="router")


@pytest.mark.parametrize("profile", [name for name, profile in PROFILES.items() if profile.explore is None])
def test_explore_says_what_applies_instead(profile: str) -> None:
    done = CliRunner().invoke(cli, ["explore", "--profile", profile])
    assert isinstance(done.exception, SuiteError)  # which main() makes exit code 2
    assert re.fullmatch(
        rf"explore --profile {profile}: explore walks over .*`pytest contracts/ --profile {profile}`\) judge it\.",
        str(done.exception),
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_smoke_finds_the_reference_sane(profile: str) -> None:
    lines: list[str] = []
    assert asyncio.run(smoke_check.smoke(RunOptions(profile=profile), lines.append)) == 0
    for dialect in PROFILES[profile].dialects:
        assert any(line.startswith(f"greeting    {dialect}: ended well in ") for line in lines), lines


def test_what_breaks_elsewhere_is_judged_in_full() -> None:
    card = cards.load(PROFILES["rollout"].reference.card, PROFILES["rollout"].card)
    broken = card.model_copy(update={"env": {**card.env, "ROLLOUT_MUTANT": "http_500"}})
    request = RunOptions(target="app:rollout_server.mutants:create_app", described=broken, dialect="sync")
    assert asyncio.run(_judged(request)) == (("sync",), ())


async def _judged(request: RunOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    async with ready(request) as run:
        return run.dialects, run.remarks


def test_a_router_is_asked_for_the_model_that_was_named() -> None:
    """Its backends list that model, and a router that knows no other one can be judged."""
    keys = json.dumps([{"key": KEY, "org": "one", "scopes": ["inference"]}])
    backends = json.dumps([{"name": "a", "url": "{backend_a}"}])
    env = {"ROUTER_BACKENDS": backends, "ROUTER_KEYS": keys, "ROUTER_LOG_LEVEL": "off"}
    request = RunOptions(profile="router", described=Card(env=env, key=KEY), model="of-my-own")

    async def asked() -> set[str]:
        async with ready(request) as run:
            script = run.greetings[0].session.state["script"]
            return {json.loads(sent.body)["model"] for _, sent in script.received}

    assert asyncio.run(asked()) == {"of-my-own"}


def test_smoke_says_which_finding() -> None:
    lines: list[str] = []

    async def play() -> int:
        async with asgi_binding.serve(
            Target(at("/rollout", answer(200, {"status": "ERROR", "error_message": "no"})))
        ) as url:
            described = Card.model_validate({"patience_s": 0.2})
            return await smoke_check.smoke(RunOptions(target=url, described=described), lines.append)

    assert asyncio.run(play()) == 2
    said = r" +ROLLOUT-112 MUST  expected COMPLETED: .*; observed the rollout ended in ERROR: .no."
    assert any(re.match(said, line) for line in lines), lines
    assert all("\n" not in line for line in lines)
