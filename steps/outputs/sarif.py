"""SARIF 2.1.0, as code scanning reads it: requirements as rules, each root cause as one result, known failures as suppressed ones.

It is written as plain data: the object models for Python are not maintained (sarif-om: 2019), and what is used of the format is small.
"""

import hashlib
import json
from typing import Any

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.failure_report import Group
from rollout_conformance.steps.engine.findings import Finding, Location
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import suite_version
from rollout_conformance.steps.outputs.facts import RunFacts, printable, uri

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"must": "error", "should": "warning", "may": "note"}
MOST_RELATED = 100  # other cases of one cause


def render(facts: RunFacts) -> str:
    groups = facts.groups
    suppressed = [(o, f) for o in facts.outcomes for f in dict.fromkeys(o.judgement.findings) if f.known]
    names = sorted({group.requirement.id for group in groups} | {finding.requirement for _, finding in suppressed})
    index = {name: n for n, name in enumerate(names)}
    driver = {
        "name": "rollout-conformance",
        "version": suite_version(),
        "rules": [_rule(facts.catalogue[name]) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": facts.ended is None}],
        "results": [*(_group(one, index) for one in groups), *(_known(o, f, facts, index) for o, f in suppressed)],
        "properties": {
            "profile": facts.profile,
            "target": printable(facts.target),
            "verdict": printable(facts.sentence),
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(one: Requirement) -> dict[str, JSON]:
    rule: dict[str, Any] = {
        "id": one.id,
        "shortDescription": {"text": " ".join(one.sentence.split())},
        "defaultConfiguration": {"level": LEVELS[one.level]},
        "properties": {"tags": [one.level, one.topic]},
    }
    return rule | ({"fullDescription": {"text": one.why}, "help": {"text": one.why}} if one.why else {})


def _group(group: Group, index: dict[str, int]) -> dict[str, JSON]:
    found = _result(group.finding, group.outcome, group.level, index)
    others = group.others[:MOST_RELATED]
    related = [{**_at(other.case.at), "message": {"text": _named(other.case)}} for other in others]
    return found | ({"relatedLocations": related} if related else {})


def _known(outcome: Outcome, finding: Finding, facts: RunFacts, index: dict[str, int]) -> dict[str, JSON]:
    level = finding.level({finding.requirement: facts.catalogue[finding.requirement].level})
    excused = [{"kind": "external", "justification": printable(finding.known)}]
    return _result(finding, outcome, level, index) | {"suppressions": excused}


def _result(finding: Finding, outcome: Outcome, level: str, index: dict[str, int]) -> dict[str, JSON]:
    text = (
        f"expected {finding.expected}\nobserved {finding.observed}\ncase {_named(outcome.case)}\nrerun {outcome.rerun}"
    )
    same = hashlib.sha256(f"{finding.requirement} {outcome.case.id}".encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "ruleId": finding.requirement,
        "ruleIndex": index[finding.requirement],
        "level": LEVELS[level],
        "message": {"text": printable(text)},
        "locations": [_at(finding.at or outcome.case.at)],
        "partialFingerprints": {"requirementAndCase/v1": same},
    }


def _at(at: Location) -> dict[str, JSON]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri(at)}, "region": {"startLine": max(1, at.line)}}}


def _named(case: Case) -> str:
    return printable(f'"{case.name}" [{case.dialect}]')
