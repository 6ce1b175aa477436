"""Fuzzes one contract against the target of the session."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.contract_coverage import Coverage
from rollout_conformance.steps.engine.findings import Finding, SuiteError
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.fuzzing.contract import Contract
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.pytest_plugin import contract_results, options
from rollout_conformance.steps.pytest_plugin.contract_results import FuzzResult
from rollout_conformance.steps.pytest_plugin.run_options import run_options_of, seed_of

NIGHTLY_EXAMPLES, EXAMPLES = 1000, 50
SHARED = 250  # examples that the operations of a contract with many share, so that it takes no longer than the others


def fuzz_contract(contract: Contract, config: pytest.Config) -> FuzzResult:
    """Fuzz one contract. Raises `SuiteError` when it cannot be done."""
    from rollout_conformance.steps.fuzzing.fuzz import Plan, Tally, fuzz, outcome
    from rollout_conformance.steps.fuzzing.request_observer import Watch

    if contract.dialect is None:
        raise SuiteError(
            f"{contract.shown}: cannot tell which dialect of profile {contract.profile} it describes. Write one at its top, "
            f"{' or '.join(f'`x-dialect: {name}`' for name in profile_of(contract.profile).dialects)}, or fuzz it with "
            f"`schemathesis run {contract.shown} --url URL`."
        )
    run_options = replace(run_options_of(config, contract.profile), dialect=contract.dialect)
    coverage = Coverage(contract.spec)
    with LoopThread() as loop_thread:
        watch = Watch.over(run_options, contract.dialect, contract.shown, loop_thread)
        watch.on_outcome = lambda one: coverage.add(one.trace.exchanges) if one.trace else None
        tallies: dict[str, Tally] = {}
        examples = examples_of(config, len(contract.operations()))
        try:
            fuzz(contract, watch, Plan(examples, seed_of(config)), tallies)
        finally:  # the report of an interrupted run has what is known so far
            outcomes = {label: outcome(contract, watch, label, t, run_options.level) for label, t in tallies.items()}
            fuzzed = FuzzResult(contract, outcomes, coverage, sum(t.cases for t in tallies.values()), watch.run)
            contract_results.by_file(config)[contract.file] = fuzzed
    return fuzzed


def examples_of(config: pytest.Config, operations: int) -> int:
    """How many requests are generated for each operation."""
    few = min(EXAMPLES, SHARED // operations)
    return options.of(config).fuzz_examples or (few if seed_of(config) is None else NIGHTLY_EXAMPLES)


def finding_text(finding: Finding, catalogue: Mapping[str, Requirement], command: str) -> str:
    """One finding: the requirement, what was expected and observed, and the request that shows it."""
    requirement = catalogue[finding.requirement]
    observed = finding.observed.replace("\n", "\n            ")
    head = f"{requirement.level.upper():<6}  {requirement.id}  {requirement.sentence}"
    seen = f"\n  {bug_reports.SHOWN}: {reported}" if (reported := bug_reports.short_line(requirement.id)) else ""
    return f"{head}{seen}\n  expected  {finding.expected}\n  observed  {observed}\n  with      {command}"
