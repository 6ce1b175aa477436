"""What shows the inside of a server, and what only looks like it: quoted requests, words of prose, names of tools."""

import asyncio
import json
import time
from typing import Any

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Finding, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.runner import Runner
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.profiles.rollout.invariants.auth import secrets
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.heavy.rollout import Played

ECHOING = "app:rollout_server.tests.echoing:create_app"
LARGE = "metadata just above one MiB is rejected"
DUMP = "1 validation error for Start\nmax_turns\n  Input should be a valid integer [type=int_type, input_value='ten', input_type=str]"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Traceback (most recent call last):\n  File "/srv/agent.py", line 7', "Traceback (most recent"),
        ('in File "agent", line 7', 'File "agent", line 7'),
        (json.dumps({"detail": 'in File "agent", line 7'}), 'File "agent", line 7'),
        ("/usr/lib/site-packages/x", "/site-packages/"),
        (json.dumps({"detail": "failed\n/srv/app/main.py said no"}), "/srv/app/main.py"),
        ("at main.py:12", "main.py:1"),
        ("<class 'dict'> is not supported", "<class '"),
        ("<Agent object at 0x7f00>", "object at 0x"),
        (
            "field required. For further information visit https://errors.pydantic.dev/2.11/v/missing",
            "For further information visit https://errors.pydantic.dev",
        ),
        (DUMP, "1 validation error for Start\n"),
        (DUMP.replace("\n", " "), "[type=int_type, input_value="),
        ("KeyError: 'choices'", "KeyError:"),
        ('{"detail": "KeyError"}', 'KeyError"'),
        ("TypeError", "TypeError"),
        ("JSONDecodeError: Expecting value: line 1 column 1 (char 0)", "JSONDecodeError:"),
        ("ClientConnectorError(key)", "ClientConnectorError("),
        ("Cannot connect to host 127.0.0.1:9 ssl:default", "Cannot connect to host 127.0.0.1:9 ssl:"),
        ("[Errno 111] Connect call failed", "[Errno 1"),
        ("list index out of range", "list index out of range"),
        ("'NoneType' object has no attribute 'get'", "has no attribute '"),
        ("add() missing 1 required positional argument: 'a'", "required positional argument"),
        ("httpx.ConnectError: all attempts failed", "httpx.C"),
        ("run.<locals>.add() takes no arguments", "<locals>"),
        ("Agent.__init__ failed", "__init__"),
    ],
)
def test_the_inside_of_a_server(text: str, found: str) -> None:
    assert internal_error_patterns.leaked(text, internal_error_patterns.STRICT) == found


@pytest.mark.parametrize(
    "text",
    [
        "the tool answered with a ValueError that is none of ours",
        "no model of the name pydantic-7b",
        "the schema is not for __proto__ or __important__ words",
        "see https://docs.example.com/guide/errors/main.py for more",
        "2 validation errors for your request",
        '{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","url":"https://errors.pydantic.dev/2.14/v/missing"}]}',
        "the positional arguments of the tool are given by name",
        "a.py and b.py are no tools",
        "httpx. Or another client.",
        "The body is no JSON: Expecting value: line 1 column 1 (char 0)",
        "ConnectionError: the trainer could not be reached",
        "Cannot connect to host trainer",
        "x" * 400,
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert internal_error_patterns.leaked(text, internal_error_patterns.STRICT) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ValueError: division by zero", None),
        ("Error: add() missing 1 required positional argument: 'a'", None),
        ("Error: add() got an unexpected keyword argument 'c'", None),
        ("TypeError: add() argument after ** must be a mapping, not list", "argument after ** must be"),
        ("TypeError: server.add() takes 2 positional arguments", "server.add() takes"),
        ('File "/srv/tools.py", line 3', 'File "/srv/tools.py", line 3'),
    ],
)
def test_the_error_of_a_tool_may_name_exceptions_but_not_show_source_code(text: str, found: str | None) -> None:
    assert internal_error_patterns.leaked(text, internal_error_patterns.SOURCE) == found


@pytest.mark.parametrize(
    "quoted", ["/srv/mine.py", "KeyError: 'x'", 'File "x", line 3', "Traceback (most recent call last)"]
)
@pytest.mark.parametrize("form", [json.dumps, repr, str])
def test_what_the_caller_sent_is_no_leak(quoted: str, form: Any) -> None:
    request = Request("POST", "/rollout", (), json.dumps({"messages": [quoted]}).encode())
    sent = internal_error_patterns.Sent(internal_error_patterns.of_request(request))
    assert (
        internal_error_patterns.leaked(f"refused: {form({'input': quoted})}", internal_error_patterns.STRICT, sent)
        is None
    )
    assert (
        internal_error_patterns.leaked(f"refused: {quoted} in /srv/theirs.py", internal_error_patterns.STRICT, sent)
        == "/srv/theirs.py"
    )


def test_a_quoted_request_that_is_full_of_signs_is_looked_through_a_bounded_number_of_times() -> None:
    class Counting(internal_error_patterns.Sent):
        asked = 0

        def __contains__(self, found: object) -> bool:
            self.asked += 1
            return super().__contains__(found)

    text = " ".join(f"/srv/{n}.py" for n in range(10_000))
    sent = Counting([text.encode()])
    assert internal_error_patterns.leaked(text, internal_error_patterns.STRICT, sent) is None
    assert sent.asked == internal_error_patterns.MOST_LOOKED_UP


async def played(spent: list[float]) -> list[Outcome]:
    cases = [case for case in case_catalog.every("rollout") if case.name == LARGE]
    original = Runner.judgement

    def judgement(self: Runner, *arguments: Any) -> Any:
        began = time.thread_time()
        try:
            return original(self, *arguments)
        finally:
            spent.append(time.thread_time() - began)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, "judgement", judgement)
        async with ready(RunOptions(target=ECHOING)) as run:
            return [await run.runner.play(case) for case in cases]


def test_a_refusal_that_quotes_a_megabyte_is_judged_at_once() -> None:
    """FastAPI's stock 422 gives the input back: right as a refusal, and nothing of the server's own."""
    spent: list[float] = []
    outcomes = asyncio.run(played(spent))
    assert outcomes
    assert {(one.judgement.verdict, one.judgement.findings) for one in outcomes} == {(Verdict.PASS, ())}
    assert max(spent) < 1.0  # seconds of CPU


@pytest.mark.parametrize(
    ("status", "shown", "sent", "broken"),
    [
        (422, True, True, False),  # the caller's own body, given back to the caller
        (422, True, False, True),
        (500, True, True, True),
        (200, True, True, True),
        (422, False, True, False),
    ],
)
def test_a_key_that_a_refusal_gives_back_is_not_shown_to_anybody_else(
    status: int, shown: bool, sent: bool, broken: bool
) -> None:
    one = Played("sync", Script())
    if not sent:
        del one.given.body["callback_api_key"]  # type: ignore[attr-defined]
    one.start(status, {"detail": one.given.key if shown else "no"})
    found = {item.requirement for item in secrets(one.view()) if isinstance(item, Finding)}
    assert found == ({"ROLLOUT-175"} if broken else set())
