"""Contracts as pytest sees them: one item per operation. The first item fuzzes the whole contract, each reports its own operation.

`pytest contracts/` collects the contracts of the suite, `--contract PATH` another one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr, TracebackStyle

from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.fuzzing import contract as contracts
from rollout_conformance.steps.fuzzing.contract import Contract
from rollout_conformance.steps.paths import shown
from rollout_conformance.steps.profiles import DEFAULT, profile_of
from rollout_conformance.steps.pytest_plugin import contract_results, markers, options, requirement_warnings
from rollout_conformance.steps.pytest_plugin.contract_fuzzing import finding_text, fuzz_contract
from rollout_conformance.steps.pytest_plugin.exploration_items import ExplorationItem
from rollout_conformance.steps.pytest_plugin.session import SuiteItem


class Broken(Exception):
    """An operation breaks its contract; carries its outcome."""


class ContractFile(pytest.File):
    """One contract; one item per operation."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            contract = contracts.load(self.path, shown(self.path))
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        given = options.of(self.config)
        profile = given.profile or (DEFAULT if given.target else contract.profile)
        if given.dialect not in (None, contract.dialect) or profile != contract.profile:
            return
        markers.register(self.config, contract.profile)
        for method, path in contract.operations():
            yield OperationItem.from_parent(self, name=f"{method} {path}", contract=contract)
        if contract.dialect and profile_of(profile).explore is not None:
            for name, pairs in (("walks over the lifecycle", False), ("pairs of faults", True)):
                yield ExplorationItem.from_parent(
                    self, name=name, profile=profile, dialect=contract.dialect, pairs=pairs
                )


class OperationItem(SuiteItem):
    def __init__(self, *, contract: Contract, **kw: Any) -> None:
        super().__init__(**kw)
        self.contract = contract
        for mark in ("nightly", *((contract.dialect,) if contract.dialect else ())):
            self.add_marker(mark)

    def runtest(self) -> None:
        known = contract_results.by_file(self.config)
        if self.path not in known:
            fuzz_contract(self.contract, self.config)
        outcome = known[self.path].outcomes[self.name]
        if outcome.judgement.verdict is Verdict.FAIL:
            raise Broken(outcome)
        requirement_warnings.warn(self, outcome)
        if outcome.judgement.verdict is Verdict.INCONCLUSIVE:
            pytest.xfail(f"inconclusive: {outcome.judgement.reason}")
        if outcome.judgement.verdict is Verdict.SKIP:
            pytest.skip(outcome.judgement.reason or "left out")

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        if isinstance(excinfo.value, SuiteError):
            return f"COULD NOT JUDGE  {self.contract.shown}\n  {excinfo.value}"
        if not isinstance(excinfo.value, Broken):
            return super().repr_failure(excinfo, style)
        outcome: Outcome = excinfo.value.args[0]
        catalogue = contract_results.by_file(self.config)[self.path].run.profile.catalogue
        found = zip(outcome.judgement.findings, outcome.rerun.splitlines(), strict=False)
        return "\n\n".join(finding_text(finding, catalogue, command) for finding, command in found)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name
