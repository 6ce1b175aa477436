"""The pytest face of fuzzing: a contract file is a file of tests, one for each of its operations.

`pytest contracts/` collects the contracts of the project, `--contract PATH` another one. The first item fuzzes the whole contract, each
reports its own operation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine.contract_coverage import Coverage, lines
from rollout_conformance.steps.engine.findings import Finding, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.exploration.pytest_items import ExplorationItem
from rollout_conformance.steps.fuzzing import contract as contracts
from rollout_conformance.steps.fuzzing.contract import Contract
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import DEFAULT, profile_of
from rollout_conformance.steps.pytest_options import run_options_of, seed_of

NIGHTLY_EXAMPLES, EXAMPLES = 1000, 50
SHARED = 250  # examples that the operations of a contract with many share, so that it takes no longer than the others
results = pytest.StashKey["dict[Path, FuzzResult]"]()


class FuzzResult:
    """What one run over a contract found: an outcome for each label, and what it exercised."""

    def __init__(
        self, contract: Contract, outcomes: dict[str, Outcome], coverage: Coverage, requests: int, run: Any
    ) -> None:
        self.contract, self.outcomes, self.coverage, self.requests, self.run = (
            contract,
            outcomes,
            coverage,
            requests,
            run,
        )
        self.shown = contract.shown

    def also(self, outcomes: Iterable[Outcome]) -> None:
        """Count what written cases of the same dialect exercised."""
        for outcome in outcomes:
            mine = (outcome.case.profile, outcome.case.dialect) == (self.contract.profile, self.contract.dialect)
            if mine and outcome.trace is not None:
                self.coverage.add(outcome.trace.exchanges)


class Broken(Exception):
    """An operation breaks its contract; carries its outcome."""


def is_contract(file: Path) -> bool:
    return file.suffix in (".yaml", ".yml", ".json") and file.name.startswith("openapi")


class ContractFile(pytest.File):
    """One contract; one item an operation."""

    def collect(self) -> Iterator[pytest.Item]:
        shown = self.path.relative_to(ROOT).as_posix() if self.path.is_relative_to(ROOT) else str(self.path)
        try:
            contract = contracts.load(self.path, shown)
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        option = self.config.option
        profile = option.profile or (DEFAULT if option.target else contract.profile)
        if option.dialect not in (None, contract.dialect) or profile != contract.profile:
            return
        for method, path in contract.operations():
            yield OperationItem.from_parent(self, name=f"{method} {path}", contract=contract)
        if contract.dialect and profile_of(profile).explore is not None:
            for name, pairs in (("walks over the lifecycle", False), ("pairs of faults", True)):
                yield ExplorationItem.from_parent(
                    self, name=name, profile=profile, dialect=contract.dialect, pairs=pairs
                )


class OperationItem(pytest.Item):
    def __init__(self, *, contract: Contract, **kw: Any) -> None:
        super().__init__(**kw)
        self.contract = contract
        for mark in ("nightly", *((contract.dialect,) if contract.dialect else ())):
            self.add_marker(mark)

    def runtest(self) -> None:
        known = self.config.stash[results]
        if self.path not in known:
            run(self.contract, self.config)
        outcome = known[self.path].outcomes[self.name]
        if outcome.judgement.verdict is Verdict.FAIL:
            raise Broken(outcome)
        if outcome.judgement.verdict is Verdict.INCONCLUSIVE:
            pytest.xfail(f"inconclusive: {outcome.judgement.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, SuiteError):
            return f"COULD NOT JUDGE  {self.contract.shown}\n  {excinfo.value}"
        if not isinstance(excinfo.value, Broken):
            return super().repr_failure(excinfo, style)
        outcome: Outcome = excinfo.value.args[0]
        catalogue = self.config.stash[results][self.path].run.profile.catalogue
        blocks = zip(outcome.judgement.findings, outcome.rerun.splitlines(), strict=False)
        return "\n\n".join(block(finding, catalogue, command) for finding, command in blocks)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def block(finding: Finding, catalogue: Any, command: str) -> str:
    """One finding for people: the requirement, what was expected and observed, and the request that shows it."""
    requirement = catalogue[finding.requirement]
    observed = finding.observed.replace("\n", "\n            ")
    head = f"{requirement.level.upper():<6}  {requirement.id}  {requirement.sentence}"
    return f"{head}\n  expected  {finding.expected}\n  observed  {observed}\n  with      {command}"


def run(contract: Contract, config: pytest.Config) -> FuzzResult:
    """Fuzz one contract against the target of the session. Raises `SuiteError` when it cannot be done."""
    from rollout_conformance.steps.engine.loop_thread import LoopThread
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
        try:
            fuzz(contract, watch, plan_of(config, Plan, len(contract.operations())), tallies)
        finally:  # what is known of an interrupted run belongs into its report
            outcomes = {label: outcome(contract, watch, label, t, run_options.level) for label, t in tallies.items()}
            fuzzed = FuzzResult(contract, outcomes, coverage, sum(t.cases for t in tallies.values()), watch.run)
            config.stash[results][contract.file] = fuzzed
    return fuzzed


def plan_of(config: pytest.Config, plan: Any, operations: int) -> Any:
    seed = seed_of(config)
    few = min(EXAMPLES, SHARED // operations)
    return plan(config.option.fuzz_examples or (few if seed is None else NIGHTLY_EXAMPLES), seed)


def summary(reporter: Any, config: pytest.Config) -> None:
    """What was exercised, at the end of a run that fuzzed."""
    for file, fuzzed in config.stash.get(results, {}).items():
        dialect = fuzzed.run.dialects[0] if fuzzed.run.dialects else "-"
        name = f"{file.parent.name}/{file.name}"  # several contracts have one name
        reporter.section(f"{name} ({dialect}): {fuzzed.requests} generated requests", sep="-")
        for line in lines(fuzzed.coverage, name, 5):
            reporter.write_line(line)
    if config.stash.get(results, {}):
        seed = config.option.fuzz_seed
        reporter.write_line(
            f"seed: {'none, derandomized' if seed is None else f'{seed} (--fuzz-seed {seed} repeats it)'}"
        )
