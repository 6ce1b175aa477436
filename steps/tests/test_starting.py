"""A target that is still starting: what it answers meanwhile, how `--wait` waits for it, and that its log is shown where it fails."""

import asyncio
import contextlib
import shlex
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from rollout_conformance.steps import probe
from rollout_conformance.steps.engine import starting, targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.targets import LAST_LINES, LINE_LENGTH
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.test_probe import (
    INVALID,
    NOT_FOUND,
    REPLY,
    Answer,
    always,
    answer,
    played,
    refusal,
)

NO_MODEL = {
    "/v1/models": answer(200, {"object": "list", "data": []}),
    "/models": answer(200, {"models": []}),
    "/api/v1/get_server_capabilities": answer(200, {"supported_models": []}),
}
ONE_MODEL = {
    "/v1/models": answer(200, {"data": [{"id": "one"}]}),
    "/models": answer(200, {"models": ["one"]}),
    "/api/v1/get_server_capabilities": answer(200, {"supported_models": ["one"]}),
}
WAITS_S = 30.0
STARTING_S = 0.3


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy answers are retried before anything is said of them; here that would only take time."""
    monkeypatch.setattr(probe, "LONGEST_S", 0.3)


def without_a_model(request: Request) -> Response:
    return NO_MODEL.get(request.path, NOT_FOUND)


def model_required(request: Request) -> Response:
    refused = answer(400, {"error": {"message": "model is required"}})
    return NO_MODEL.get(request.path, refused if request.method == "POST" else NOT_FOUND)


STARTING = [
    *(("chat", f"{status}", always(answer(status, "starting"))) for status in starting.STATUSES),
    *((profile, "503", always(answer(503, "starting"))) for profile in PROFILES if profile != "chat"),
    *((profile, "404 everywhere", always(NOT_FOUND)) for profile in PROFILES),
    *((profile, "404 and no model", without_a_model) for profile in ("chat", "training")),
    *((profile, "400 and no model", model_required) for profile in ("chat", "training")),
]


@pytest.mark.parametrize(("profile", "answers"), [pytest.param(p, a, id=f"{p}: {n}") for p, n, a in STARTING])
def test_the_wait_is_suggested(profile: str, answers: Answer) -> None:
    assert refusal(answers, profile=profile).endswith(starting.SUGGESTION)


@pytest.mark.parametrize(("profile", "answers"), [pytest.param(p, a, id=f"{p}: {n}") for p, n, a in STARTING])
def test_a_target_is_waited_for_while_it_is_starting(profile: str, answers: Answer) -> None:
    """When it is up, it asks for a key: that nothing can be judged is said of the answers from then on."""
    up_at = time.monotonic() + STARTING_S

    def later(request: Request) -> Response:
        return answers(request) if time.monotonic() < up_at else INVALID

    told = refusal(later, profile=profile, wait=WAITS_S)
    assert time.monotonic() < up_at + WAITS_S / 2
    assert "401" in told
    assert "--wait" not in told


def test_a_chat_server_whose_worker_registers_later_is_judged() -> None:
    up_at = time.monotonic() + STARTING_S

    def later(request: Request) -> Response:
        if time.monotonic() < up_at:
            return without_a_model(request)
        return ONE_MODEL.get(request.path, REPLY)

    assert played(later, profile="chat", wait=WAITS_S) == ("openai",)


def test_a_wait_that_was_in_vain_is_said() -> None:
    assert refusal(without_a_model, profile="chat", wait=0.3).endswith("It was waited for 0.3 s (--wait).")


@pytest.mark.parametrize("profile", ["chat", "training"])
def test_what_lacks_a_path_although_it_lists_a_model_has_started(profile: str) -> None:
    told = refusal(lambda request: ONE_MODEL.get(request.path, NOT_FOUND), profile=profile, wait=WAITS_S)
    assert "404" in told
    assert "--wait" not in told


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("wait_s", [0.0, WAITS_S])
def test_a_target_that_asks_for_a_key_has_started(profile: str, wait_s: float) -> None:
    began = time.monotonic()
    assert "--wait" not in refusal(always(INVALID), profile=profile, wait=wait_s)
    assert time.monotonic() - began < WAITS_S / 2


def test_an_empty_list_of_models_is_not_called_an_absent_one() -> None:
    assert "GET /v1/models lists no model" in refusal(model_required, profile="chat")


SERVER = """
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self): self.answer(200)
        def do_POST(self):
            told = "".join(f"line {n}\\n" for n in range(40))
            sys.stderr.write(f"{told}RuntimeError: weights missing, key sk-abcdefghijklmnopqrstuvwx{'x' * 5000}\\n")
            sys.stderr.flush()
            self.answer(STATUS)
        def answer(self, status):
            self.send_response(status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        def log_message(self, *args): pass
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def started(tmp_path: Path, status: int, profile: str) -> str:
    """What is said of a target that the suite starts, and that answers every POST with this status."""
    program = tmp_path / "server.py"
    program.write_text(textwrap.dedent(SERVER).replace("STATUS", str(status)))

    async def play() -> None:
        command = f"cmd:{shlex.join([sys.executable, str(program)])} {{port}}"
        described = PROFILES[profile].card.model_validate({"patience_s": 0.2})
        async with ready(RunOptions(profile=profile, target=command, described=described)):
            pass

    with pytest.raises(SuiteError) as told:
        asyncio.run(play())
    return str(told.value)


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"router"}))  # one is waited for until it knows its backends
def test_the_log_of_a_target_that_fails_is_shown(profile: str, tmp_path: Path) -> None:
    told = started(tmp_path, 500, profile)
    said, _, log = told.partition("\nIts last words:\n")
    assert "500" in said
    lines = log.splitlines()
    assert len(lines) == LAST_LINES
    assert lines[0] == "  line 33"
    assert lines[-1].startswith("  RuntimeError: weights missing, key ***")
    assert all(len(line) < LINE_LENGTH + 10 for line in lines)
    assert "sk-abc" not in told


def test_the_log_of_a_target_that_asks_for_something_is_not_shown(tmp_path: Path) -> None:
    assert "last words" not in started(tmp_path, 401, "chat")


def test_a_target_that_ended_by_itself_says_how_without_secrets(tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        "import http.server, sys\n"
        "class Server(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers(); self.wfile.flush()\n"
        "    def do_POST(self):\n"
        "        import os; print('out of memory, key sk-abcdefghijklmnop1234567890', flush=True); os._exit(7)\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Server).serve_forever()\n",
        encoding="utf-8",
    )

    async def ended() -> tuple[str, str]:
        async with targets.running(f"cmd:{sys.executable} {server} {{port}}") as target:
            before = await targets.about_end(target)
            with contextlib.suppress(httpx.HTTPError):
                async with httpx.AsyncClient() as client:
                    await client.post(target.base_url)
            return before, await targets.about_end(target)

    before, told = asyncio.run(ended())
    assert before == asyncio.run(targets.about_end(targets.Target("http://127.0.0.1:1"))) == ""
    assert told.startswith(". Its process ended with code 7; the last line that it wrote: out of memory, key ")
    assert "sk-abcdef" not in told
