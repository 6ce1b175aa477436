"""The connection to a Ray cluster, and one part of a run on one of its workers."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.ray_cluster import shard_work
from rollout_conformance.steps.ray_cluster.messages import Message, ShardRequest

PREFIX = "ray"
MOST_SHARDS = 64  # beyond that the start of each takes longer than its cases


class WorkerDied(Exception):
    """A worker, or its machine, ended while it played a part."""


def address_of(text: str) -> str | None:
    """The address in `ray:ADDRESS`; None for `ray`, which starts a cluster on this machine. Raises `SuiteError` for anything else."""
    name, _, address = text.partition(":")
    if name != PREFIX or (":" in text and not address):
        raise SuiteError(
            f"--on {text}: write ray, or ray:ADDRESS with the address of a cluster: ray:10.0.0.1:6379, ray:auto"
        )
    return address or None


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise SuiteError("--on ray: Ray is not installed; pip install 'rollout-conformance[ray]'") from None
    return ray


@contextlib.contextmanager
def connected(address: str | None, workers: int | None = None) -> Iterator["Cluster"]:
    """A cluster at an address, or one of so many workers on this machine, which is ended afterwards. Raises `SuiteError`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no statistics are sent
    ray = _ray()
    here: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **here)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise SuiteError(f"--on ray:{address or ''}: no cluster answers there: {error}") from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


class Cluster:
    """Workers that play parts of a run, one part on one CPU."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.task = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)(_work)

    def shards(self, cases: int) -> int:
        """Into how many parts a run of so many cases is divided."""
        cpus = int(self.ray.cluster_resources().get("CPU", 1))
        return max(1, min(cpus, MOST_SHARDS, cases))

    async def messages(self, request: ShardRequest) -> AsyncIterator[Message]:
        """What a worker tells of its part. Raises `WorkerDied`, and `SuiteError` for what the worker could not judge."""
        told = self.task.remote(request)
        errors = self.ray.exceptions
        try:
            async for one in told:
                yield await one
        except errors.RayTaskError as error:
            cause = error.cause
            raise SuiteError(str(cause) if isinstance(cause, SuiteError) else f"{request}: {cause or error}") from error
        except errors.RayError as error:
            raise WorkerDied(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
        finally:
            self.ray.cancel(told, force=True)


def _work(request: ShardRequest) -> Iterator[Message]:
    """Runs on a worker, which has the package installed."""
    yield from shard_work.messages(request, _ray().util.get_node_ip_address())
