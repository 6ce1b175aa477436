"""Files of cases as pytest sees them: one item per case and dialect. An item waits for the verdict of its case and reports it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr, TracebackStyle

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import DEFAULT, profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.pytest_plugin import (
    allure_report,
    markers,
    options,
    own_files,
    requirement_warnings,
    workers,
)
from rollout_conformance.steps.pytest_plugin.bdd_reporting import Failed, NotConformant, report_scenario
from rollout_conformance.steps.pytest_plugin.run_options import run_options_of
from rollout_conformance.steps.pytest_plugin.session import SuiteItem, session_of
from rollout_conformance.steps.run_setup import card_of
from rollout_conformance.steps.scenario.gherkin import CompiledScenario, compile_feature


class CaseFile(pytest.File):
    """A file of cases; one item per case and dialect."""

    def collect(self) -> Iterator["CaseItem"]:
        try:
            profile = self._profile()
            if profile is None:
                return
            pairs = list(self.cases(profile))
            card = card_of(run_options_of(self.config, profile.name), profile)
            case_catalog.known_variants((case for case, _ in pairs), profile, card)
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        markers.register(self.config, profile.name)
        for case, scenario in pairs:
            if options.of(self.config).dialect in (None, case.dialect):
                yield CaseItem.from_parent(self, name=f"{case.name}[{case.dialect}]", case=case, scenario=scenario)

    def _profile(self) -> Profile | None:
        """The profile of the file; None where the session judges another one. A file that the user names is read as cases of --profile."""
        given = options.of(self.config)
        if given.profile is not None and own_files.is_named(self.path, self.config):
            return profile_of(given.profile)
        profile = case_catalog.profile_in(self.path)
        # Of the shipped cases a target without --profile is judged by those of one profile; a user's own file says what it is about.
        assumed = DEFAULT if given.target and own_files.is_shipped(self.path) else profile.name
        return profile if (given.profile or assumed) == profile.name else None

    def cases(self, profile: Profile) -> Iterable[tuple[Case, CompiledScenario | None]]:
        raise NotImplementedError


class FeatureFile(CaseFile):
    def cases(self, profile: Profile) -> Iterable[tuple[Case, CompiledScenario | None]]:
        return [(case, one) for one in compile_feature(self.path, profile, ROOT) for case in one.cases]


class ScenarioFile(CaseFile):
    def cases(self, profile: Profile) -> Iterable[tuple[Case, CompiledScenario | None]]:
        return [(case, None) for case in case_catalog.load(self.path, profile)]


class CaseItem(SuiteItem):
    def __init__(self, *, case: Case, scenario: CompiledScenario | None, **kw: Any) -> None:
        super().__init__(**kw)
        self.case, self.scenario = case, scenario
        live = ("vllm",) if case.live is not None else ()
        for mark in (*case.requirements, *sorted(case.tags), case.dialect, *live):
            self.add_marker(mark)
        allure_report.mark(self, profile_of(case.profile).catalogue.get(next(iter(case.requirements), "")))

    def runtest(self) -> None:
        player = session_of(self.config).player
        try:
            outcome = player.verdict(self, [item for item in self.session.items if isinstance(item, CaseItem)])
        except SuiteError as error:
            self._end_session(str(error))
            raise
        if self.scenario is not None:
            report_scenario(self, self.scenario, outcome)
        allure_report.write(self.config, outcome)
        judgement = outcome.judgement
        if not judgement.failed and judgement.verdict is not Verdict.ERROR:
            requirement_warnings.warn(self, outcome)
        if judgement.verdict is Verdict.SKIP:
            pytest.skip(judgement.reason)
        if judgement.verdict is Verdict.INCONCLUSIVE:
            pytest.xfail(f"inconclusive: {judgement.reason}")
        if judgement.known:
            pytest.xfail(f"{'flaky' if judgement.flaky else 'known'}: {judgement.known}")
        if judgement.verdict is Verdict.FAIL:
            raise Failed(outcome)
        if judgement.verdict is Verdict.ERROR:
            raise NotConformant(outcome)

    def _end_session(self, reason: str) -> None:
        """No case can be judged. `pytest.exit` in a worker of pytest-xdist would be reported as a crash of the worker."""
        if not workers.is_worker(self.config):
            pytest.exit(reason, returncode=2)
        self.session.shouldstop = reason

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        if isinstance(excinfo.value, SuiteError):
            return f"COULD NOT JUDGE  {excinfo.value}"
        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        outcome = excinfo.value.outcome
        if outcome.judgement.verdict is Verdict.ERROR:
            return f"COULD NOT JUDGE  {outcome.case.at}\n  {outcome.judgement.reason}"
        groups = collapse([outcome], profile_of(outcome.case.profile).catalogue)
        return "\n\n".join(finding_block(group) for group in groups)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.at.line - 1, self.name
