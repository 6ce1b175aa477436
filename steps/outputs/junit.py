"""JUnit XML: one `testcase` a case, with file, line and, as properties, requirement, level and dialect.

It is written with the standard library, which gives well-formed XML by construction. junitparser, which reads and merges such files well,
writes control characters that no XML parser takes, and has no file and line of a case.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import suite_version
from rollout_conformance.steps.outputs.facts import RunFacts, printable


def render(facts: RunFacts) -> bytes:
    root = Element("testsuites", name="rollout-conformance")
    suite = SubElement(root, "testsuite", _counts(facts), name=f"rollout-conformance.{facts.profile}")
    _properties(suite, [("target", facts.target), ("suite", suite_version()), ("verdict", facts.sentence)])
    for outcome in facts.outcomes:
        _case(suite, outcome, facts)
    root.attrib |= {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped", "time")}
    if facts.ended or facts.stale:
        told = [f"Ended early by {facts.ended}."] if facts.ended else []
        SubElement(suite, "system-err").text = printable("\n".join([*told, *map(str, facts.stale)]))
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _counts(facts: RunFacts) -> dict[str, str]:
    """The time is that of the run by the clock: cases are in flight together, and the sum of theirs is longer."""
    outcomes = facts.outcomes
    seconds = facts.seconds if facts.seconds is not None else sum(outcome.seconds for outcome in outcomes)
    verdicts = [outcome.judgement.verdict for outcome in outcomes]
    failed = sum(outcome.judgement.failed for outcome in outcomes)
    errors = verdicts.count(Verdict.ERROR)
    passed = verdicts.count(Verdict.PASS)
    return {
        "tests": str(len(outcomes)),
        "failures": str(failed),
        "errors": str(errors),
        "skipped": str(len(outcomes) - failed - errors - passed),
        "time": f"{seconds:.3f}",
    }


def _case(suite: Element, outcome: Outcome, facts: RunFacts) -> None:
    case, judgement = outcome.case, outcome.judgement
    place = {"classname": case.at.file.rpartition(".")[0].strip("/").replace("/", "."), "file": case.at.file}
    name = f"{case.name}[{case.dialect}]"
    named = {key: printable(text) for key, text in (*place.items(), ("name", name))}
    found = SubElement(suite, "testcase", named, line=str(case.at.line), time=f"{outcome.seconds:.3f}")
    _properties(found, _about(outcome, facts))
    reason = printable(judgement.known or judgement.reason)
    if judgement.failed:
        _failure(found, outcome, facts)
    elif judgement.verdict is Verdict.ERROR:
        SubElement(found, "error", type="error", message=reason)
    elif judgement.verdict is not Verdict.PASS:
        kind = ("flaky" if judgement.flaky else "known") if judgement.known else str(judgement.verdict)
        SubElement(found, "skipped", type=kind, message=f"{kind}: {reason}")
    elif blocks := _blocks(outcome, facts):
        SubElement(found, "system-out").text = blocks


def _failure(found: Element, outcome: Outcome, facts: RunFacts) -> None:
    groups = collapse([outcome], facts.catalogue)
    first = groups[0]
    message = (
        f"{first.requirement.id} {first.requirement.level.upper()}: {' '.join(first.requirement.sentence.split())}"
    )
    SubElement(found, "failure", type=first.requirement.id, message=printable(message)).text = _blocks(outcome, facts)


def _blocks(outcome: Outcome, facts: RunFacts) -> str:
    return printable("\n\n".join(finding_block(group) for group in collapse([outcome], facts.catalogue)))


def _about(outcome: Outcome, facts: RunFacts) -> list[tuple[str, str]]:
    """The requirements that the case is about, and those that it breaks besides, each followed by its level; the dialect."""
    names = dict.fromkeys((*outcome.case.requirements, *(one.requirement for one in outcome.judgement.findings)))
    known = [facts.catalogue[name] for name in names if name in facts.catalogue]
    pairs = [pair for one in known for pair in (("requirement", one.id), ("level", one.level))]
    return [*pairs, ("dialect", outcome.case.dialect)]


def _properties(element: Element, pairs: Sequence[tuple[str, str]]) -> None:
    properties = SubElement(element, "properties")
    for name, value in pairs:
        SubElement(properties, "property", name=name, value=printable(value))
