"""Smoke: a handful of plain questions to a target, so that a wiring fault is not mistaken for a breach."""

from collections.abc import Callable

from steps.engine.cases import Case, Step
from steps.engine.findings import Finding, Location, Verdict
from steps.peers.script import Reply, Script
from steps.profiles.rollout.actions import End, Start, TrainerSays
from steps.profiles.rollout.expectations import Completed
from steps.profiles.trainer.actions import Enroll, Generate
from steps.profiles.trainer.expectations import Replies
from steps.running import Request, ready

HERE = Location("smoke", 1)


async def smoke(request: Request, say: Callable[[str], None]) -> int:
    """Exit code 0 when a rollout without tools ends in every dialect, 2 otherwise. Raises `SuiteError` for a dead target."""
    async with ready(request) as run:
        say(f"reachable   {run.target}")
        say(f"dialects    {', '.join(run.dialects)}")
        sane = True
        for dialect in run.dialects:
            case = _hello(run.profile.name, dialect)
            bench = run.peers.bench(case)
            if run.profile.name == "rollout":
                say(f"tools       {dialect}: {', '.join(bench.tools) or 'none shown'}")
            outcome = await run.campaign.play(case)
            say(f"rollout     {dialect}: {_word(outcome.judgement.verdict)} in {outcome.seconds:.2f} s")
            for finding in outcome.judgement.findings:
                if _serious(finding, case):
                    sane = False
                    say(f"            said {finding.said}; saw {finding.saw}")
            sane = sane and outcome.judgement.verdict is not Verdict.ERROR
        say(
            "The target is sane: judge it with `rollout-conformance run`."
            if sane
            else "The target is not ready to be judged."
        )
        return 0 if sane else 2


def _hello(profile: str, dialect: str) -> Case:
    """The plainest conversation there is."""
    if profile == "trainer":
        asked = tuple(Step(what, HERE) for what in (Enroll(), Generate(), Replies((200,))))
        return Case("hello", profile, dialect, ("TRAINER-178",), asked, HERE)
    said = TrainerSays(Script((Reply(text="Hello."),)))
    steps = tuple(Step(what, HERE) for what in (said, Start(), End(), Completed()))
    return Case("hello", "rollout", dialect, ("ROLLOUT-112",), steps, HERE)


def _serious(finding: Finding, case: Case) -> bool:
    return finding.requirement == case.requirements[0]


def _word(verdict: Verdict) -> str:
    return {Verdict.PASS: "ended well", Verdict.ERROR: "could not be played"}.get(verdict, "ended, with findings")
