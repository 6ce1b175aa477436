"""Defects in which what happens to one rollout happens to others."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around
from rollout_conformance.rollout_server.rollout import agent, errors, generation
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.rollout_state import RolloutState

ABORTED = "The batch of this rollout was aborted"
_running: set["asyncio.Task[object]"] = set()
_aborted: set["asyncio.Task[object]"] = set()


def _abort_others(me: "asyncio.Task[object]") -> None:
    for other in _running - {me}:
        _aborted.add(other)
        other.cancel()


def _ends_others(spreads: Callable[[BaseException], bool]) -> Patch:
    """An end that `spreads` ends every rollout that runs beside it."""

    async def run(original: Callable[..., Awaitable[object]], state: RolloutState, app_state: AppState) -> object:
        me = asyncio.current_task()
        assert me is not None
        _running.add(me)
        try:
            return await original(state, app_state)
        except (RolloutError, asyncio.CancelledError) as error:
            if me in _aborted:
                me.uncancel()
                raise errors.RolloutError("internal_error", ABORTED) from error
            if spreads(error):
                _abort_others(me)
            raise
        finally:
            _running.discard(me)
            _aborted.discard(me)

    return around(agent, "run", run)


def _failed(error: BaseException) -> bool:
    return isinstance(error, RolloutError)


def _timed_out(error: BaseException) -> bool:
    return isinstance(error, RolloutError) and error.category == "timeout"


def _cancelled(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)


_open: dict[str, "asyncio.Future[object]"] = {}


async def _shared(
    original: Callable[..., Awaitable[object]], rollout: RolloutState, request: object, state: AppState
) -> object:
    """Identical messages that are in flight at the same time share one generation."""
    messages: Sequence[object] = rollout.history
    name = json.dumps([messages, rollout.start.sampling], sort_keys=True, default=str)
    if name not in _open:
        _open[name] = asyncio.ensure_future(original(rollout, request, state))
        _open[name].add_done_callback(lambda _: _open.pop(name, None))
    return await asyncio.shield(_open[name])


MUTANTS = (
    Mutant(
        "siblings_fail",
        breaks="240",
        also=("064", "084", "089", "090", "091", "112"),
        what="the failure of one rollout ends every other that is running",
        patch=_ends_others(_failed),
    ),
    Mutant(
        "siblings_time_out",
        breaks="240",
        also=("091",),
        what="a generation that is given up ends every other rollout that is running",
        patch=_ends_others(_timed_out),
    ),
    Mutant(
        "siblings_cancelled",
        breaks="240",
        also=("225", "226", "224", "222"),
        what="a cancellation ends every other rollout that is running",
        patch=_ends_others(_cancelled),
        dialects=("routed",),
    ),
    Mutant(
        "identical_share",
        breaks="159",
        also=("130", "131", "048", "050", "112"),
        what="rollouts with identical messages share one generation",
        patch=around(generation, "send", _shared),
    ),
)
