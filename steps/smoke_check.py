"""Smoke: one plain greeting to a target in each dialect, so that a wiring fault is not mistaken for a breach."""

from collections.abc import Callable, Iterator

from rollout_conformance.steps.engine.findings import Judgement, SuiteError, Verdict
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.probe import Greeting
from rollout_conformance.steps.run_setup import Run, RunOptions, ready, run_command

LONGEST = 160  # characters of what was demanded and of what was seen


async def smoke(run_options: RunOptions, say: Callable[[str], None]) -> int:
    """Exit code 0 when the greeting ends as it should in every dialect, 2 otherwise. Raises `SuiteError` when nothing can be judged."""
    async with ready(run_options) as run:
        say(f"reachable   {run.target}")
        say(f"dialects    {', '.join(run.dialects)}")
        for line in run.remarks:
            say(f"note        {line}")
        sane = not run.unjudged
        for greeting in run.greetings:
            if greeting.dialect in run.dialects:
                sane = _told(run, greeting, say) and sane
        say(
            f"The target is sane: judge it with `{run_command(run_options)}`."
            if sane
            else "The plainest there is does not work in full: mend that first, or every case will say so."
        )
        return 0 if sane else 2


def _told(run: Run, greeting: Greeting, say: Callable[[str], None]) -> bool:
    """Say how the target was greeted; False when the greeting itself did not end as it should."""
    dialect, case = greeting.dialect, greeting.case
    for what, shown in run.profile.smoke(run.peers.context(case)):
        say(f"{what:<12}{dialect}: {shown}")
    judgement = _judgement(run, greeting)
    well = judgement.verdict not in (Verdict.FAIL, Verdict.ERROR) and not judgement.findings
    say(f"greeting    {dialect}: {'ended well' if well else _word(judgement)} in {greeting.seconds:.2f} s")
    for line in _findings(run, judgement):
        say(f"            {line}")
    end = {case.requirements[0], run.profile.ends_by_itself}
    serious = any(finding.requirement in end for finding in judgement.findings)
    return not serious and judgement.verdict is not Verdict.ERROR


def _judgement(run: Run, greeting: Greeting) -> Judgement:
    try:
        return run.runner.judgement(greeting.case, greeting.session)
    except SuiteError as error:
        return Judgement(Verdict.ERROR, {}, (), str(error))


def _word(judgement: Judgement) -> str:
    return f"could not be judged ({judgement.reason})" if judgement.verdict is Verdict.ERROR else "ended, with findings"


def _findings(run: Run, judgement: Judgement) -> Iterator[str]:
    """Each finding on one line."""
    for finding in judgement.findings:
        level = run.profile.catalogue[finding.requirement].level.upper()
        expected, observed = (_short(text) for text in (finding.expected, finding.observed))
        yield f"{finding.requirement} {level}  expected {expected}; observed {observed}"


def _short(text: str) -> str:
    line = " ".join(redacted(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
