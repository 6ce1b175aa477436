"""Plays every selected case when the first verdict is needed, and returns the verdicts in pytest's order.

A worker of pytest-xdist knows all selected cases, and gets those of some groups only: it plays a group when its first verdict is needed.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from rollout_conformance.steps import baseline_check, baseline_file, case_catalog, known_flaky, report_header
from rollout_conformance.steps.baseline_check import Scope
from rollout_conformance.steps.engine import early_end, lateness
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import Judgement, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import ReportWriter
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.profiles import DEFAULT
from rollout_conformance.steps.pytest_plugin import contract_results, options, workers
from rollout_conformance.steps.pytest_plugin.case_groups import group_of
from rollout_conformance.steps.pytest_plugin.contract_results import FuzzResult
from rollout_conformance.steps.pytest_plugin.run_options import run_options_of
from rollout_conformance.steps.run_setup import Run, ready


class CaseHolder(Protocol):
    """What the player needs of an item."""

    case: Case

    @property
    def nodeid(self) -> str: ...


class Player:
    """Plays the cases of a session on one event loop."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.baseline = baseline_file.load(options.of(config).baseline, options.of(config).level)
        self.loop: asyncio.Runner | None = None
        self.runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self.tasks: dict[str, asyncio.Task[Outcome]] = {}
        self.outcomes: list[Outcome] = []
        self.unreported: list[Outcome] = []  # played when the session was ended early, before their items were run
        self.ending: asyncio.Event | None = None

    def verdict(self, item: CaseHolder, items: Sequence[CaseHolder]) -> Outcome:
        """The outcome of an item's case. `items` are all that the session has selected; the first call plays them.

        Raises `SuiteError` where the target cannot be judged at all.
        """
        self.loop = self.loop or asyncio.Runner()
        if item.nodeid not in self.tasks:
            early_end.run(self._launch(self._together(item, items)), self.loop)
        outcome = self.baseline.marked(early_end.run(self._wait(item), self.loop))
        self.outcomes.append(outcome)
        return outcome

    def _together(self, item: CaseHolder, items: Sequence[CaseHolder]) -> Sequence[CaseHolder]:
        if not workers.is_worker(self.config):
            return items
        group = group_of(item.nodeid)
        return [one for one in items if group_of(one.nodeid) == group]

    async def _wait(self, item: CaseHolder) -> Outcome:
        return await self.tasks[item.nodeid]

    async def _launch(self, items: Sequence[CaseHolder]) -> None:
        self.ending = self.ending or asyncio.Event()
        lateness.set_aside()
        names = dict.fromkeys(item.case.profile for item in items)
        for name in names:
            if name not in self.runs:
                self.runs[name] = await self._opened(name, self.ending)
        before = list(self.tasks.values())
        for name in names:
            run = self.runs[name][0]
            mine = {item.case.id: item for item in items if item.case.profile == name}
            begun = {
                mine[case.id].nodeid: asyncio.ensure_future(self._play(case, tuple(before)))
                for case in run.ordered(item.case for item in mine.values())
            }
            self.tasks |= begun
            before += begun.values()

    async def _opened(self, name: str, ending: asyncio.Event) -> tuple[Run, asyncio.Task[None]]:
        opened: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        keeper = asyncio.ensure_future(self._keep(name, opened, ending))
        return await opened, keeper

    async def _play(self, case: Case, before: "tuple[asyncio.Task[Outcome], ...]" = ()) -> Outcome:
        """`before` are the cases of other profiles: on one engine they go first, because measurements there need the engine to themselves."""
        run = self.runs[case.profile][0]
        if run.engine is not None and before:
            await asyncio.wait(before)
        if case.dialect not in run.dialects:
            return _not_played(run, case)
        outcome = await known_flaky.played(run, run.applicable([case])[0], self.baseline)
        if ENDING.reason is not None:  # an outcome of the time when everything is being ended is no evidence
            raise asyncio.CancelledError
        return outcome

    async def _keep(self, name: str, opened: "asyncio.Future[Run]", ending: asyncio.Event) -> None:
        """Hold a run open: what a task enters, the same task must leave."""
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
        if found is None or options.of(self.config).record is not None:
            return None
        return EngineOptions(found.base_url, found.model, found.key)

    def close(self, interrupted: bool) -> None:
        """End everything that is in flight, and write the report."""
        if self.loop is not None:
            ENDING.attach(self.loop.get_loop(), None)
            self.unreported = self._unreported() if ENDING.reason is not None else []
            self.outcomes += self.unreported
            self.loop.run(self._end())
            ENDING.detach()
            self.loop.close()
            self.loop = None
        fuzzed = contract_results.of(self.config)
        for one in fuzzed:
            one.also(self.outcomes)
            self.outcomes += one.outcomes.values()
        file = workers.report_file(self.config)
        if file is not None and (self.runs or fuzzed):
            runs = [run for run, _ in self.runs.values()] + [one.run for one in fuzzed]
            self._report(file, runs, fuzzed, interrupted)
        elif file is not None and ENDING.reason is not None:
            self._report_nothing(file, ENDING.reason.text)

    def _report_nothing(self, file: Path, ended_by: str) -> None:
        """The report of a session that was ended before its target was ready."""
        run_options = run_options_of(self.config, options.of(self.config).profile or DEFAULT)
        with ReportWriter(file, report_header.of_options(run_options), {}, ()) as writer:
            writer.close(aborted=True, ended_by=ended_by)

    def _report(self, file: Path, runs: list[Run], fuzzed: list[FuzzResult], interrupted: bool) -> None:
        planned = [outcome.case for outcome in self.outcomes]
        catalogue = {name: entry for run in runs for name, entry in run.profile.catalogue.items()}
        with ReportWriter(file, report_header.of_run(runs[0]), catalogue, planned) as writer:
            for outcome in self.outcomes:
                writer.result(self.baseline.marked(outcome))
            for one in fuzzed:
                writer.coverage(one.shown, one.coverage)
            writer.aborted = interrupted
            writer.ended_by = ENDING.reason.text if ENDING.reason is not None else None

    def _unreported(self) -> list[Outcome]:
        ended = (task for task in self.tasks.values() if task.done() and not task.cancelled())
        reported = {id(outcome) for outcome in self.outcomes}
        return [task.result() for task in ended if task.exception() is None and id(task.result()) not in reported]

    def stale(self) -> list[str]:
        """Which entries of the baseline are to be changed."""
        profiles = dict.fromkeys(outcome.case.profile for outcome in self.outcomes)
        given = options.of(self.config)
        dialects = frozenset(dialect for run, _ in self.runs.values() for dialect in run.dialects)

        def cases() -> Iterator[Case]:
            yield from (outcome.case for outcome in self.outcomes)
            yield from (case for name in profiles for case in case_catalog.every(name))

        scope = Scope(cases, None if given.dialect else dialects)
        return baseline_check.lines(baseline_check.stale(self.baseline, self.outcomes, scope))

    @property
    def failed(self) -> bool:
        return any(self.baseline.marked(outcome).judgement.failed for outcome in self.outcomes)

    async def _end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        if self.ending is not None:
            self.ending.set()
        await asyncio.gather(*(keeper for _, keeper in self.runs.values()), return_exceptions=True)


def _not_played(run: Run, case: Case) -> Outcome:
    """The outcome of a case in a dialect that the target does not have, or that cannot be judged."""
    obstacle = next((g.result.obstacle for g in run.greetings if g.dialect == case.dialect), "")
    verdict = Verdict.ERROR if case.dialect in run.unjudged else Verdict.SKIP
    reason = obstacle or f"the target has no dialect {case.dialect}"
    return Outcome(case, Judgement(verdict, {}, (), reason), None, 0.0, "")
