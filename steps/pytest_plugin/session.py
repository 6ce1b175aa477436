"""A session of pytest in which the suite judges: its player, its end by a signal or by time, and its part of the summary."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.pytest_plugin import contract_results, options, workers
from rollout_conformance.steps.pytest_plugin.player import Player

LAST_RESORT_S = 10.0  # after this time without an end, a session that was ended within an item of the suite is killed
HYPOTHESIS = "hypothesispytest"
_session = pytest.StashKey["Session"]()


class SuiteItem(pytest.Item):
    """An item of the suite. Its id is what its text is parsed to: pytest finds items of an earlier session (--lf, --ff, --sw) by that."""

    def __init__(self, name: str, parent: pytest.Collector, **kw: Any) -> None:
        super().__init__(name, parent, nodeid=f"{parent.nodeid}::{name}", **kw)


def session_of(config: pytest.Config) -> "Session":
    """The session of the suite; begun at the first call."""
    if _session not in config.stash:
        config.stash[_session] = Session(config)
        config.pluginmanager.register(config.stash[_session], "rollout-conformance-session")
    return config.stash[_session]


class Session:
    """The hooks of a session that has something of the suite in it."""

    def __init__(self, config: pytest.Config) -> None:
        self.player = Player(config)
        self.stale: list[str] = []
        ENDING.listen()
        ENDING.patience_s = None
        max_time = options.of(config).max_time
        if max_time is not None:
            ENDING.after(max_time, f"--max-time {max_time:g}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """No item begins once the session is to end."""
        if ENDING.reason is not None:
            raise early_end.interrupted()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """What goes wrong in an item while the session is being ended is no failure of the item."""
        ENDING.patience_s = LAST_RESORT_S if isinstance(item, SuiteItem) else None  # other tests may need longer to end
        try:
            return (yield)
        except BaseException:
            if ENDING.reason is None:
                raise
            raise early_end.interrupted() from None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        stale = self.player.stale()
        self.player.close(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED or ENDING.reason is not None)
        if ENDING.reason is not None:
            session.exitstatus = _exit_code(ENDING.reason, self.player)
            _leave_out_hypothesis(session.config)
            ENDING.done()
        elif stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self.stale = stale
        if workers.is_worker(session.config):
            workers.hand_over(session.config, self.stale, partial(self._summarize, config=session.config))

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter", config: pytest.Config) -> None:
        for line in self.stale:
            terminalreporter.write_line(f"BASELINE  {line}")
        self._summarize(terminalreporter, config)

    def _summarize(self, terminal: workers.Writer, config: pytest.Config) -> None:
        _show_early_end(terminal, self.player)
        contract_results.summarize(terminal, config)


def _leave_out_hypothesis(config: pytest.Config) -> None:
    """The summary of its plugin imports all of Hypothesis, which takes most of a second, even where no test has used it."""
    if "hypothesis" not in sys.modules and config.pluginmanager.has_plugin(HYPOTHESIS):
        config.pluginmanager.unregister(name=HYPOTHESIS)


def _exit_code(reason: Reason, player: Player) -> int:
    """The exit code of a session that was ended early. Ctrl-C is pytest's own."""
    if reason.text == "SIGINT":
        return int(pytest.ExitCode.INTERRUPTED)
    if reason.code is not None:
        return reason.code
    return int(pytest.ExitCode.TESTS_FAILED if player.failed else pytest.ExitCode.INTERRUPTED)


def _show_early_end(reporter: workers.Writer, player: Player) -> None:
    """What had been played when the session was ended, and the findings that no item has shown."""
    if ENDING.reason is None or not player.tasks:
        return
    reporter.section(f"ended early by {ENDING.reason.text}", sep="-")
    reporter.write_line(f"{len(player.outcomes)} of {len(player.tasks)} cases had been played.")
    for name in dict.fromkeys(outcome.case.profile for outcome in player.unreported):
        mine = [outcome for outcome in player.unreported if outcome.case.profile == name]
        for group in collapse(map(player.baseline.marked, mine), PROFILES[name].catalogue):
            reporter.write_line(finding_block(group) + "\n")
