"""A whole fuzz run: schemathesis' engine over one contract, and what it found as outcomes like those of any case.

One outcome an operation and one for the links between them. A failed check is a finding of the requirement that it belongs to.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import (
    Evidence,
    Finding,
    Judgement,
    Location,
    Satisfied,
    SuiteError,
    Verdict,
    judge,
)
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.fuzzing import hooks, wider_schemas
from rollout_conformance.steps.fuzzing.checks import Broken
from rollout_conformance.steps.fuzzing.contract import Contract
from rollout_conformance.steps.fuzzing.request_observer import Watch

if TYPE_CHECKING:
    from rollout_conformance.steps.fuzzing.request_observer import GeneratedCase


CONFIG = Path(__file__).with_name("schemathesis.toml")
GATEWAY = (502, 504)  # what is behind a target may fail
MOST_OF_A_KIND = 3  # findings of one requirement that are kept for one operation


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried. `seed` None: what derandomized runs try, the same every time."""

    max_examples: int = 50
    seed: int | None = None
    links: bool = True


@dataclass(slots=True)
class Tally:
    """What is known of one operation so far. `cases` are the requests that were sent."""

    cases: int = 0
    findings: list[Finding] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    seconds: float = 0.0


def fuzz(contract: Contract, watch: Watch, plan: Plan, into: dict[str, Tally] | None = None) -> dict[str, Tally]:
    """Every operation of the contract, by label; `into` holds what is known so far when the run is interrupted.

    Raises `SuiteError` when the target cannot be fuzzed at all, `KeyboardInterrupt` when the user stops it.
    """
    hooks.use(watch)
    tallies = {} if into is None else into
    tallies |= {f"{method} {path}": Tally() for method, path in contract.operations()}
    try:
        for event in engine.from_schema(_schema(contract, watch, plan)).execute():
            if isinstance(event, events.FatalError):
                raise SuiteError(f"{contract.shown}: schemathesis stopped: {redacted(str(event.exception))}")
            if isinstance(event, events.NonFatalError):
                raise SuiteError(f"{contract.shown}: {event.label}: {redacted(str(event.info))}")
            if isinstance(event, events.Interrupted):
                raise KeyboardInterrupt
            if isinstance(event, events.ScenarioFinished):
                _count(tallies, event, watch)
    finally:
        hooks.use(None)
    return tallies


def _schema(contract: Contract, watch: Watch, plan: Plan) -> Any:
    config = SchemathesisConfig.from_path(CONFIG)
    config.update(seed=plan.seed if plan.seed is not None else 1, max_failures=None)
    mine = config.projects.override
    key = {"Authorization": f"Bearer {watch.key}"} if watch.key else {}
    headers = {**watch.headers, **key} or None
    # What is found is noted and the run goes on: a breach of little weight must not hide what comes after it.
    mine.update(base_url=watch.target.base_url, headers=headers, continue_on_failure=True)
    mine.generation.update(max_examples=plan.max_examples, deterministic=plan.seed is None)
    spec, left_out = dict(contract.spec), _left_out(watch)
    spec["paths"] = {path: item for path, item in spec["paths"].items() if path not in left_out}
    return schemathesis.openapi.from_dict(spec, config=config)


def _left_out(watch: Watch) -> frozenset[str]:
    return watch.fuzz.left_out(watch.run.runner.options.card)


def _count(tallies: dict[str, Tally], event: Any, watch: Watch) -> None:
    for case_id, node in event.recorder.cases.items():
        label = node.value.operation.label
        tally = tallies.setdefault(label, Tally())
        tally.cases += 1
        for check in event.recorder.checks.get(case_id, ()):
            if check.failure_info is not None and not _excused(check.name, node.value, watch):
                _add(tally, check, watch, negative=_negative(node.value))


def _excused(check: str, case: "GeneratedCase", watch: Watch) -> bool:
    """Whether the contract, or the card of the target, says that such a request may be accepted."""
    if check != "negative_data_rejection":
        return False
    card = watch.run.runner.options.card
    return watch.fuzz.adapter.may_be_accepted(card, case.body) or wider_schemas.accepts(
        case.operation.schema.raw_schema, case.method, case.operation.path, case.body
    )


def _negative(case: "GeneratedCase") -> bool:
    return case.meta is not None and not case.meta.generation.mode.is_positive


def _add(tally: Tally, check: Any, watch: Watch, negative: bool) -> None:
    fuzz, failure = watch.fuzz, check.failure_info.failure
    status = getattr(failure, "status_code", 0)
    if check.name == "status_code_conformance" and status >= 500:
        return  # not_a_server_error says it
    if check.name == "not_a_server_error" and status in GATEWAY and fuzz.gateway:
        return
    if check.name == "response_schema_conformance" and negative:
        return  # an answer to what should have been refused may show what was wrong with it
    if isinstance(failure, Broken):
        requirement = failure.title.partition(" ")[0]
        expected, _, observed = failure.message.removeprefix("expected  ").partition("\nobserved  ")
    else:
        requirement = fuzz.judge(check.name)
        expected, observed = f"{check.name}: {failure.title}", failure.message
    if watch.dialect not in watch.run.profile.catalogue[requirement].dialects:
        return  # a dialect that does not demand it
    strict_only = getattr(failure, "instance", ...) is None
    if sum(f.requirement == requirement for f in tally.findings) < MOST_OF_A_KIND:
        tally.findings.append(Finding(requirement, expected, observed, strict_only=strict_only))
        tally.commands.append(redacted(check.failure_info.code_sample))


def outcome(contract: Contract, watch: Watch, label: str, tally: Tally, level: str) -> Outcome:
    """One operation as a case: a pass when requests were sent and nothing counted was found."""
    about = (watch.fuzz.conforms,)
    case = Case(f"generated {label}", contract.profile, watch.dialect, about, (), Location(contract.shown, 1))
    if label.partition(" ")[2] in _left_out(watch):
        return Outcome(
            case, Judgement(Verdict.SKIP, {}, (), "a target with this card does not have the path"), None, 0.0, ""
        )
    if not tally.cases:
        return Outcome(case, Judgement(Verdict.INCONCLUSIVE, {}, (), "no request was generated"), None, 0.0, "")
    levels = {name: requirement.level for name, requirement in watch.run.profile.catalogue.items()}
    found = [f.requirement for f in tally.findings]
    evidence: list[Evidence] = [*tally.findings, *(Satisfied(name) for name in about if name not in found)]
    return Outcome(case, judge(evidence, about, levels, level), None, tally.seconds, "\n".join(tally.commands))
