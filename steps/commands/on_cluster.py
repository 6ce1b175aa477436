"""`run --on ray`: the cases of a run on the machines of a Ray cluster, shown and reported as a run on this one."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from rollout_conformance.steps import progress
from rollout_conformance.steps.baseline_check import Scope
from rollout_conformance.steps.case_selection import ONLY, WITH, WITHOUT
from rollout_conformance.steps.commands.conclusion import conclude, ended_early
from rollout_conformance.steps.commands.play_options import PlayOptions
from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.ray_cluster.cluster import Cluster, address_of, connected
from rollout_conformance.steps.ray_cluster.gather import Gathering
from rollout_conformance.steps.ray_cluster.messages import PlayedCase, ShardBegun, ShardRequest
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import RunOptions, card_of, rerun
from rollout_conformance.steps.sharding import Shard

ENGINE_VARIABLES = ("VLLM_BACKEND_URL", "VLLM_MODEL_NAME", "VLLM_API_KEY", "VLLM_EXECUTABLE")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is played: `cases` of those that were `loaded`, chosen by files and patterns."""

    cases: Sequence[Case]
    loaded: Sequence[Case]
    files: tuple[Path, ...]
    patterns: tuple[str, ...]


def check_options(on: str | None, how: PlayOptions, **others: object) -> None:
    """Raises `SuiteError` for options that a run on a cluster does not have."""
    others |= {"fail-fast": how.fail_fast, "repeat": how.repeat > 1, "verbose": how.verbose}
    given = next((name for name, value in others.items() if value), None)
    if on is not None and given is not None:
        written = "--backend both" if given == "both" else f"--{given}"
        raise SuiteError(
            f"--on {on}: does not go together with {written}; a cluster plays each case once, in parts of its own"
        )


async def judge(found: RunResults, chosen: Chosen, how: PlayOptions, on: str) -> int:
    """Play, print the findings and the summary; gives the exit code. Raises `SuiteError` when nothing can be judged."""
    with connected(address_of(on)) as cluster:
        driver = _Driver(found, chosen, cluster)
        try:
            await driver.play()
            found.close(aborted=False)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        except asyncio.CancelledError:
            if ENDING.reason is None:
                raise
            while (code := ENDING.speak(lambda: ended_early(found, how))) is None:
                await asyncio.sleep(1)
            return code
        finally:
            found.close(aborted=True)
    scope = Scope(lambda: iter(chosen.loaded), None)
    return conclude(
        found.options, found.sorted(), found.known, found.planned, scope=scope, how=how, seconds=found.seconds
    )


def _first(errors: BaseExceptionGroup) -> BaseException:
    """The one that made the others end."""
    inner = errors.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


class _Driver:
    def __init__(self, found: RunResults, chosen: Chosen, cluster: Cluster) -> None:
        self.found, self.chosen, self.cluster = found, chosen, cluster
        self.by_id = {case.id: case for case in chosen.cases}
        self.gathering = Gathering(cluster, self._begun, self._played, lambda text: click.echo(f"NOTE  {text}\n"))
        self.seen: set[str] = set()  # remarks of the workers that were shown

    async def play(self) -> None:
        """A target that all parts share is given those cases that want it for themselves at the end, by one worker."""
        with progress.shown(len(self.chosen.cases)) as self.bar:
            if self._is_shared():
                await self.gathering.all_of(self._requests(WITHOUT, self.cluster.shards(len(self.chosen.cases))))
                await self.gathering.all_of(self._requests(ONLY, 1))
            else:
                await self.gathering.all_of(self._requests(WITH, self.cluster.shards(len(self.chosen.cases))))

    def _is_shared(self) -> bool:
        return targets.command(self._target, 0) is None

    @property
    def _target(self) -> str:
        return self.found.options.target or profile_of(self.found.options.profile).reference.app

    def _requests(self, exclusive: str, count: int) -> list[ShardRequest]:
        options = self.found.options
        card = card_of(options, profile_of(options.profile))
        shared = self._is_shared()
        jobs = max(1, options.jobs // count) if shared else options.jobs
        mine = replace(options, card=None, described=card, jobs=jobs)
        files = tuple(file.resolve() for file in self.chosen.files)
        environment = {name: os.environ[name] for name in ENGINE_VARIABLES if name in os.environ}
        remote = shared and urlsplit(self._target).hostname not in LOOPBACK
        return [
            ShardRequest(
                mine,
                files,
                self.chosen.patterns,
                Shard(number, count),
                exclusive,
                self.found.known,
                environment,
                remote_target=remote,
            )
            for number in range(1, count + 1)
        ]

    def _begun(self, begun: ShardBegun) -> None:
        for line in begun.remarks:
            if line not in self.seen:
                self.seen.add(line)
                click.echo(f"NOTE  {line}\n")
        if not self.found.planned:
            mine = [case for case in self.chosen.cases if case.dialect in begun.dialects]
            self.found.begin(_RunElsewhere(self.found.options, begun), mine)

    def _played(self, played: PlayedCase) -> None:
        case = self.by_id.get(played.case_id)
        if case is None:
            raise SuiteError(
                f"a worker played {played.case_id!r}, which this installation does not have: install the same version everywhere"
            )
        outcome = played.outcome(case, rerun(self.found.options, case))
        self.found.add(outcome)
        self.bar.update(1, self.found.known.marked(outcome).judgement.failed)


class _RunElsewhere:
    """What a report says of a run, from the first worker that was ready."""

    def __init__(self, options: RunOptions, begun: ShardBegun) -> None:
        self.options, self.profile = options, profile_of(options.profile)
        self.dialects, self.target, self.tokenizer_hash, self.model = (
            begun.dialects,
            begun.target,
            begun.tokenizer_hash,
            begun.model,
        )
