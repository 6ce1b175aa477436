"""Whatever a target sends: no exception of a library, no swollen memory, one line or findings, and an end."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import body_limits, http_client, targets
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.hostile import BEHAVIOURS, served

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
MOST_MIB = 400  # of the gigabyte that is sent
IMPATIENT = Card.model_validate({"patience_s": 0.3, "settle_s": 0.05})
FAULTS = {
    "no_http": "does not speak HTTP: Bad status line",
    "tls": "does not speak HTTP: Bad status line",
    "negative_length": "does not speak HTTP: Invalid character in Content-Length",
    "two_lengths": "does not speak HTTP: Duplicate Content-Length",
    "huge_length": "does not speak HTTP: Content-Length overflow",
    "length_too_long": "the body breaks off or is malformed: ",
    "broken_chunks": "does not speak HTTP: Invalid character in chunk size",
    "status_of_letters": "does not speak HTTP: Bad status line",
    "not_packed": "the body is not packed as its Content-Encoding says: ",
    "packed_bomb": "more than 1 MiB of body",
    "a_gigabyte": "more than 1 MiB of body (Content-Length: 1073741824)",
    "a_gigabyte_in_chunks": "more than 1 MiB of body",
    "endless_events": "more than 1 MiB of body",
    "closes_at_once": "the connection was closed without an answer",
    "huge_header": "does not speak HTTP: Got more than 8190 bytes",
    "endless_headers": "does not speak HTTP: Too many headers",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of one MiB at most, and a short wait for a first answer."""
    monkeypatch.setattr(body_limits.ROOM, "limit", MIB)
    monkeypatch.setattr(targets, "FIRST_ANSWER_S", 1.0)


async def fault(name: str) -> str:
    async with served(BEHAVIOURS[name]) as port, http_client.client() as client, asyncio.timeout(20):
        try:
            await client.get(f"http://127.0.0.1:{port}/")
        except httpx.HTTPError as error:
            return http_client.transport_fault(error)
    return "none"


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("small")
def test_a_fault_of_a_server_is_told_in_words_of_http(name: str) -> None:
    assert asyncio.run(fault(name)).startswith(FAULTS[name])
    assert body_limits.ROOM.taken == 0


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.usefixtures("small")
def test_a_hostile_target_is_refused_in_one_line_or_judged(name: str, profile: str) -> None:
    """Those that pass the first look are judged by a few cases, of which none trips the suite."""

    async def judged() -> list[str]:
        async with served(BEHAVIOURS[name]) as port:
            target = f"http://127.0.0.1:{port}"
            async with ready(RunOptions(profile=profile, target=target, described=IMPATIENT, max_body=1)) as run:
                cases = [
                    case for case in run.applicable(case_catalog.every(profile)) if run.runner.peers.lacks(case) is None
                ]
                outcomes = await asyncio.gather(*map(run.runner.play, cases[:3]))
                reasons = [one.judgement.reason for one in outcomes if one.judgement.verdict is Verdict.ERROR]
                return [reason for reason in reasons if "the suite itself failed" in reason]

    refusal, tripped = "", []
    try:
        tripped = asyncio.run(judged())
    except SuiteError as error:
        refusal = str(error)
    assert not tripped
    assert "\n" not in refusal
    assert len(refusal) < 1000


MAIN = "from rollout_conformance.steps.entry import main; main()"


def peak_of(words: list[str], env: dict[str, str]) -> tuple[int, str, int]:
    """The exit code of a command of ours, what it wrote, and its highest memory in MiB."""
    program = f"from rollout_conformance.steps.tests import peak; peak.print_at_exit(); {MAIN}"
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, *words],
        env={**os.environ, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    peak = re.search(r"PEAK (\d+)", ended.stdout)
    assert peak is not None, ended.stderr
    return ended.returncode, ended.stdout + ended.stderr, int(peak[1])


@pytest.mark.parametrize(
    ("kind", "end", "shown"),
    [
        ("rollout", "not_utf8", "no JSON (not UTF-8: byte 0xff at "),
        ("rollout", "deep", "no JSON (nested deeper than 200 levels)"),
        ("rollout", "huge", "more than 64 MiB of body"),
        ("chat", "deep", "no JSON (nested deeper than 200 levels)"),
        ("chat", "huge", "more than 64 MiB of body"),
    ],
)
def test_what_turns_hostile_within_a_case_is_a_finding_with_its_reason(kind: str, end: str, shown: str) -> None:
    target = f"app:rollout_server.tests.hostile_ends:{kind}"
    case = "Five plus three" if kind == "rollout" else "a listed model is served"
    words = ["run", "--profile", kind, "--target", target, "--case", case]
    if kind == "chat":
        words += ["--card", "scenarios/cards/engine.yaml"]
    code, out, peak = peak_of(words, {"HOSTILE_END": end})
    assert code == 1
    assert shown in re.sub(r"\s+", " ", out)
    assert "Traceback" not in out
    assert peak < MOST_MIB
