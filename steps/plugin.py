"""The pytest face of the suite: `pytest features/` collects prose and YAML, and plays all of it on one event loop.

It holds no judgement: an item waits for the verdict of its case and reports it.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps import baseline, case_catalog
from rollout_conformance.steps.engine import early_end, lateness
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.markers import MARKERS
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import ReportWriter
from rollout_conformance.steps.fuzzing import pytest_items
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES, profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.pytest_options import pytest_addoption as pytest_addoption
from rollout_conformance.steps.pytest_options import run_options_of
from rollout_conformance.steps.run_setup import Run, card_of, ready

LAST_RESORT_S = 10.0  # after as long without an end, a session that has been ended is killed
_runner = pytest.StashKey["Player"]()


def pytest_configure(config: pytest.Config) -> None:
    ENDING.listen()
    ENDING.patience_s = None  # tests that are not ours may need their time to end
    if config.option.max_time is not None:
        ENDING.after(config.option.max_time, f"--max-time {config.option.max_time:g}")
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}")
    for profile in PROFILES.values():
        for dialect in profile.dialects:
            config.addinivalue_line("markers", f"{dialect}: the {dialect} dialect")
        for requirement in profile.catalogue.values():
            config.addinivalue_line("markers", f"{requirement.id}: {requirement.sentence}")
    config.args[:] = [widened for arg in config.args for widened in _widened(arg, config)]
    config.stash[_runner] = Player(config)
    config.stash[pytest_items.results] = {}
    if config.option.contract is not None:
        if not config.option.contract.is_file():
            raise pytest.UsageError(f"--contract {config.option.contract}: there is no such file")
        config.args.append(str(config.option.contract.resolve()))


def _widened(arg: str, config: pytest.Config) -> Iterator[str]:
    """`features/x.feature:12` names the scenario around line 12; a features folder brings its scenarios along."""
    line = re.fullmatch(r"(.+\.feature):(\d+)", arg)
    if line:
        yield _scenario_at(Path(line[1]), int(line[2]))
        return
    yield arg
    folder = (config.invocation_params.dir / arg).resolve()
    if folder.is_dir() and "features" in folder.parts:
        twin = Path(*("scenarios" if part == "features" else part for part in folder.parts))
        if twin.is_dir() and str(twin) not in config.args:
            yield str(twin)


def _scenario_at(file: Path, line: int) -> str:
    from rollout_conformance.steps.scenario.gherkin import compile_feature

    try:
        compiled = compile_feature(file.resolve(), case_catalog.profile_in(file.resolve()), ROOT)
    except (SuiteError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    before = [one for one in compiled if one.line <= line]
    if not before:
        raise pytest.UsageError(f"{file}:{line}: no scenario stands there; the first begins in line {compiled[0].line}")
    return f"{file}::{before[-1].name.partition('[')[0]}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".feature":
        return FeatureFile.from_parent(parent, path=file_path)
    given = _given(file_path, parent.config)
    named = parent.config.option.contract
    contract = file_path == (named and named.resolve()) or pytest_items.is_contract(file_path)
    if contract and (given or file_path.is_relative_to(ROOT / "contracts")):
        return pytest_items.ContractFile.from_parent(parent, path=file_path)
    ours = any(file_path.is_relative_to(ROOT / "scenarios" / name) for name in PROFILES)
    if file_path.suffix == ".yaml" and (ours or given):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


def _given(file: Path, config: pytest.Config) -> bool:
    """Whether a file was named on the command line, wherever it stands."""
    named = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return any(name.resolve() == file for name in named)


class CaseFile(pytest.File):
    """A file of cases; one item a case and dialect."""

    def collect(self) -> Iterator["CaseItem"]:
        option = self.config.option
        try:
            profile = self._profile()
            if profile is None:
                return
            pairs = list(self.cases(profile))
            card = card_of(run_options_of(self.config, profile.name), profile)
            case_catalog.known_variants((case for case, _ in pairs), profile, card)
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        for case, story in pairs:
            if option.dialect in (None, case.dialect):
                yield CaseItem.from_parent(self, name=f"{case.name}[{case.dialect}]", case=case, story=story)

    def _profile(self) -> Profile | None:
        """The profile of the file, or None where it is not asked for. A file that was named is read as cases of --profile."""
        option = self.config.option
        if option.profile is not None and _given(self.path, self.config):
            return profile_of(option.profile)
        profile = case_catalog.profile_in(self.path)
        # A target is of one kind; without a word it is a rollout server.
        wanted = option.profile or ("rollout" if option.target else profile.name)
        return profile if wanted == profile.name else None

    def cases(self, profile: Profile) -> Iterable[tuple[Case, Any]]:
        raise NotImplementedError


class FeatureFile(CaseFile):
    def cases(self, profile: Profile) -> Iterable[tuple[Case, Any]]:
        from rollout_conformance.steps.scenario.gherkin import compile_feature

        return [(case, one) for one in compile_feature(self.path, profile, ROOT) for case in one.cases]


class ScenarioFile(CaseFile):
    def cases(self, profile: Profile) -> Iterable[tuple[Case, Any]]:
        return [(case, None) for case in case_catalog.load(self.path, profile)]


class NotConformant(Exception):
    """A case failed; carries its outcome."""


class CaseItem(pytest.Item):
    def __init__(self, *, case: Case, story: Any, **kw: Any) -> None:
        super().__init__(**kw)
        self.case, self.story = case, story
        live = ("vllm",) if case.live is not None else ()
        for mark in (*case.requirements, *sorted(case.tags), case.dialect, *live):
            self.add_marker(mark)

    def runtest(self) -> None:
        outcome = self.config.stash[_runner].verdict(self)
        _tell_story(self, outcome)
        judgement = outcome.judgement
        if judgement.verdict is Verdict.SKIP:
            pytest.skip(judgement.reason)
        if judgement.verdict is Verdict.INCONCLUSIVE:
            pytest.xfail(f"inconclusive: {judgement.reason}")
        known = self.config.stash[_runner].baseline.excuses(outcome)
        if known is not None:
            pytest.xfail(f"known: {known}")
        if judgement.verdict in (Verdict.FAIL, Verdict.ERROR):
            raise NotConformant(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        outcome: Outcome = excinfo.value.args[0]
        if outcome.judgement.verdict is Verdict.ERROR:
            return f"COULD NOT JUDGE  {outcome.case.at}\n  {outcome.judgement.reason}"
        groups = collapse([outcome], profile_of(outcome.case.profile).catalogue)
        return "\n\n".join(finding_block(group) for group in groups)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.at.line - 1, self.name


def _tell_story(item: CaseItem, outcome: Outcome) -> None:
    """Fire pytest-bdd's hooks, so that its reporters see the scenario. The verdict belongs to the last step."""
    if item.story is None:
        return
    hook, scenario = item.config.hook, item.story.scenario
    request = SimpleNamespace(node=item, config=item.config)
    common = {"request": request, "feature": item.story.feature, "scenario": scenario}
    hook.pytest_bdd_before_scenario(**common)
    failed = outcome.judgement.verdict in (Verdict.FAIL, Verdict.ERROR)
    lines = {finding.at.line for finding in outcome.judgement.findings if finding.at is not None}
    broken = next((n for n, step in enumerate(scenario.steps) if step.line_number in lines), len(scenario.steps) - 1)
    for n, step in enumerate(scenario.steps):
        told = {**common, "step": step, "step_func": _tell_story}
        hook.pytest_bdd_before_step(**told)
        hook.pytest_bdd_before_step_call(**told, step_func_args={})
        if failed and n == broken:
            hook.pytest_bdd_step_error(**told, step_func_args={}, exception=NotConformant(outcome))
            break
        hook.pytest_bdd_after_step(**told, step_func_args={})
    hook.pytest_bdd_after_scenario(**common)


class Player:
    """Plays every selected case when the first verdict is asked for, and hands the verdicts out in pytest's order."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.baseline = baseline.load(config.option.baseline)
        self.loop: asyncio.Runner | None = None
        self.runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self.tasks: dict[str, asyncio.Task[Outcome]] = {}
        self.outcomes: list[Outcome] = []
        self.unasked: list[Outcome] = []  # played when the run was ended early, and no item had come to ask
        self.ending: asyncio.Event | None = None

    def verdict(self, item: CaseItem) -> Outcome:
        self.loop = self.loop or asyncio.Runner()
        ENDING.patience_s = LAST_RESORT_S
        if item.nodeid not in self.tasks:
            early_end.run(self._launch([i for i in item.session.items if isinstance(i, CaseItem)]), self.loop)
        outcome = early_end.run(self._wait(item), self.loop)
        self.outcomes.append(outcome)
        return outcome

    async def _wait(self, item: CaseItem) -> Outcome:
        return await self.tasks[item.nodeid]

    async def _launch(self, items: list[CaseItem]) -> None:
        self.ending = asyncio.Event()
        lateness.set_aside()
        for name in dict.fromkeys(item.case.profile for item in items):
            opened: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
            keeper = asyncio.ensure_future(self._keep(name, opened, self.ending))
            try:
                self.runs[name] = (await opened, keeper)
            except SuiteError as error:
                pytest.exit(str(error), returncode=2)
        before: list[asyncio.Task[Outcome]] = []
        for name, (run, _) in self.runs.items():
            mine = {item.case.id: item for item in items if item.case.profile == name}
            begun = {
                mine[case.id].nodeid: asyncio.ensure_future(self._play(case, tuple(before)))
                for case in run.ordered(item.case for item in mine.values())
            }
            self.tasks |= begun
            before += begun.values()

    async def _play(self, case: Case, before: tuple["asyncio.Task[Outcome]", ...] = ()) -> Outcome:
        """`before` are the cases of other profiles: on one engine they go first, because what is measured there is meant to be alone."""
        run = self.runs[case.profile][0]
        if run.engine is not None and before:
            await asyncio.wait(before)
        if case.dialect not in run.dialects:
            from rollout_conformance.steps.engine.findings import Judgement

            reason = next((g.result.obstacle for g in run.greetings if g.dialect == case.dialect), "")
            verdict = Verdict.ERROR if case.dialect in run.unjudged else Verdict.SKIP
            told = reason or f"the target has no dialect {case.dialect}"
            return Outcome(case, Judgement(verdict, {}, (), told), None, 0.0, "")
        outcome = await run.runner.play(run.applicable([case])[0])
        if ENDING.reason is not None:  # what is judged while everything is being ended is no evidence
            raise asyncio.CancelledError
        return outcome

    async def _keep(self, name: str, opened: "asyncio.Future[Run]", ending: asyncio.Event) -> None:
        """Holds a run open: what a task enters, the same task must leave."""
        try:
            async with ready(replace(run_options_of(self.config, name), engine_options=self._engine())) as run:
                opened.set_result(run)
                await ending.wait()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    def _engine(self) -> EngineOptions | None:
        """The engine that another profile of this session has started already: one is enough."""
        found = next((run.engine for run, _ in self.runs.values() if run.engine is not None), None)
        return (
            EngineOptions(found.base_url, found.model, found.key)
            if found and self.config.option.record is None
            else None
        )

    def close(self, interrupted: bool) -> None:
        if self.loop is not None:
            ENDING.attach(self.loop.get_loop(), None)
            self.unasked = self._unasked() if ENDING.reason is not None else []
            self.outcomes += self.unasked
            self.loop.run(self._end())
            ENDING.detach()
            self.loop.close()
        fuzzed = list(self.config.stash[pytest_items.results].values())
        for one in fuzzed:
            one.also(self.outcomes)
            self.outcomes += one.outcomes.values()
        if self.config.option.report is not None and (self.runs or fuzzed):
            self._report([run for run, _ in self.runs.values()] + [one.run for one in fuzzed], fuzzed, interrupted)

    def _report(self, runs: list[Run], fuzzed: list[pytest_items.FuzzResult], interrupted: bool) -> None:
        with ReportWriter.of_run(self.config.option.report, runs[0], list(self._planned())) as writer:
            writer.catalogue = {name: entry for run in runs for name, entry in run.profile.catalogue.items()}
            for outcome in self.outcomes:
                writer.result(outcome)
            for one in fuzzed:
                writer.coverage(one.shown, one.coverage)
            writer.aborted = interrupted
            writer.ended_by = ENDING.reason.text if ENDING.reason is not None else None

    def _planned(self) -> Iterator[Case]:
        return (outcome.case for outcome in self.outcomes)

    def _unasked(self) -> list[Outcome]:
        over = (task for task in self.tasks.values() if task.done() and not task.cancelled())
        asked = {id(outcome) for outcome in self.outcomes}
        return [task.result() for task in over if task.exception() is None and id(task.result()) not in asked]

    @property
    def failed(self) -> bool:
        return any(o.judgement.verdict is Verdict.FAIL and self.baseline.excuses(o) is None for o in self.outcomes)

    async def _end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        if self.ending is not None:
            self.ending.set()
        await asyncio.gather(*(keeper for _, keeper in self.runs.values()), return_exceptions=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """No item begins any more once the session is to end."""
    if ENDING.reason is not None:
        raise early_end.interrupted()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What goes wrong in an item while the session is being ended is no failure of it, and is not to be explained at length."""
    try:
        return (yield)
    except BaseException:
        if ENDING.reason is None:
            raise
        raise early_end.interrupted() from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    player = session.config.stash[_runner]
    stale = player.baseline.stale() if player.outcomes else []
    player.close(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED or ENDING.reason is not None)
    if ENDING.reason is not None:
        session.exitstatus = _code(ENDING.reason, player)
        ENDING.done()
    elif stale:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[_stale] = stale


def _code(reason: Reason, player: Player) -> int:
    """The exit code of a session that was ended early. Ctrl-C is pytest's own."""
    if reason.text == "SIGINT":
        return int(pytest.ExitCode.INTERRUPTED)
    if reason.code is not None:
        return reason.code
    return int(pytest.ExitCode.TESTS_FAILED if player.failed else pytest.ExitCode.INTERRUPTED)


_stale = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(_stale, []):
        terminalreporter.write_line(f"BASELINE  {line}")
    _ended_early(terminalreporter, config.stash[_runner])
    pytest_items.summary(terminalreporter, config)


def _ended_early(reporter: Any, player: Player) -> None:
    """What had been played when the run was ended, and what of it no item has shown."""
    if ENDING.reason is None or not player.tasks:
        return
    reporter.section(f"ended early by {ENDING.reason.text}", sep="-")
    reporter.write_line(f"{len(player.outcomes)} of {len(player.tasks)} cases had been played.")
    for name, profile in PROFILES.items():
        mine = (outcome for outcome in player.unasked if outcome.case.profile == name)
        for group in collapse([o for o in mine if player.baseline.excuses(o) is None], profile.catalogue):
            reporter.write_line(finding_block(group) + "\n")
