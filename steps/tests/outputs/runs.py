"""Outcomes of every kind, with texts that would do harm where they were not escaped."""

from rollout_conformance.steps.baseline_check import Outdated
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.outputs.facts import RunFacts
from rollout_conformance.steps.profiles import profile_of

ABOUT = "ROLLOUT-094"
HOSTILE = "a]]><b>&amp;\"'`|*_\x1b[31m\x00\ud800\r\n::error::x ``` </text>@all 50% \u202e\ufffe"
KEY = "tk-rc-0123abcd-7-secret"
PLACE = Location("features/rollout/history.feature", 22)


def case(name: str, dialect: str = "sync", at: Location = PLACE) -> Case:
    return Case(name, "rollout", dialect, (ABOUT,), (), at)


def trace() -> Trace:
    found = Trace()
    asked = Request("POST", "/rollout?a=1", (("authorization", f"Bearer {KEY}"), ("host", "x")), b'{"text": "it\'s"}')
    found.close(
        found.open(asked, to_target=True),
        Response(500, (("content-type", "text/plain"),), HOSTILE.encode("utf-8", "replace")),
    )
    found.close(found.open(Request("POST", "/v1/chat/completions", (), b"\xff\x00"), to_target=False), None, "reset")
    return found


def failed(name: str = "bad", dialect: str = "sync", at: Location = PLACE) -> Outcome:
    finding = Finding(ABOUT, f"202 {HOSTILE}", f"500 {HOSTILE} {KEY}", exchanges=(0,))
    judgement = Judgement(Verdict.FAIL, {ABOUT: Verdict.FAIL}, (finding,), "")
    return Outcome(case(name, dialect, at), judgement, trace(), 0.25, f"rollout-conformance run --case {name}")


def other(name: str, verdict: Verdict, reason: str = "", known: str = "") -> Outcome:
    findings = (Finding(ABOUT, "202", "500", known=known),) if known else ()
    judged = {ABOUT: verdict} if verdict in (Verdict.PASS, Verdict.FAIL) else {}
    return Outcome(case(name), Judgement(verdict, judged, findings, reason, known=known), None, 0.1, "rerun")


def facts(
    *outcomes: Outcome, ended: str | None = None, stale: tuple[Outdated, ...] = (), seconds: float | None = None
) -> RunFacts:
    catalogue, told = profile_of("rollout").catalogue, f"Verdict {HOSTILE}"
    return RunFacts("rollout", "http://127.0.0.1:1/", "must", catalogue, outcomes, told, ended, stale, seconds=seconds)


EVERY_KIND = facts(
    failed(HOSTILE),
    failed("again", "callback", Location("/elsewhere/own file.yaml", 3)),
    other("good", Verdict.PASS),
    other("known", Verdict.FAIL, known=f"because {HOSTILE}"),
    other("skipped", Verdict.SKIP, HOSTILE),
    other("broken", Verdict.ERROR, HOSTILE),
    other("open", Verdict.INCONCLUSIVE, "the occasion did not arise"),
)
