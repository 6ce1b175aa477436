"""What a worker does with its part of a run: it starts its own peers, plays, and tells each outcome as it comes."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from queue import SimpleQueue

from rollout_conformance.steps import case_catalog, case_selection, known_flaky
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.ray_cluster.messages import Message, PlayedCase, ShardBegun, ShardRequest
from rollout_conformance.steps.run_setup import Run, ready

Tell = Callable[[Message | BaseException | None], None]


def messages(request: ShardRequest, node_address: str) -> Iterator[Message]:
    """Play; gives what is to be told as it happens. Raises `SuiteError` when nothing can be judged."""
    os.environ.update(request.environment)
    told: SimpleQueue[Message | BaseException | None] = SimpleQueue()
    threading.Thread(target=_run, args=(request, node_address, told.put), daemon=True).start()
    while (message := told.get()) is not None:
        if isinstance(message, BaseException):
            raise message if isinstance(message, SuiteError) else SuiteError(f"{type(message).__name__}: {message}")
        yield message


def _run(request: ShardRequest, node_address: str, tell: Tell) -> None:
    try:
        asyncio.run(_played(request, node_address, tell))
        tell(None)
    except BaseException as error:  # whatever it is, the driver has to know
        tell(error)


async def _played(request: ShardRequest, node_address: str, tell: Tell) -> None:
    run_options = request.options
    if request.remote_target and not run_options.listen[1]:
        run_options = replace(run_options, listen=(node_address, 0))  # a target elsewhere has to reach the peers
    async with ready(run_options) as run:
        cases = _cases(request, run)
        tell(_begun(run, cases))

        async def one(case: Case) -> None:
            tell(PlayedCase.of(await known_flaky.played(run, case, request.known)))

        await asyncio.gather(*(one(case) for case in run.ordered(cases)))


def _cases(request: ShardRequest, run: Run) -> list[Case]:
    profile = profile_of(run.options.profile)
    loaded = case_catalog.among(request.files or case_catalog.files(profile.name), profile, folder=request.folder)
    chosen = case_selection.chosen(loaded, request.patterns)
    wanted = case_selection.sharing(chosen, profile, request.exclusive)
    mine = run.applicable(request.part.of(wanted))
    return [case for case in mine if case.id not in request.without]


def _begun(run: Run, cases: list[Case]) -> ShardBegun:
    planned = tuple(case.id for case in cases)
    return ShardBegun(
        socket.gethostname(), run.target, run.dialects, run.tokenizer_hash, run.model, run.remarks, planned
    )
