"""The status of every routed rollout, and which rollouts a cancellation selects."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

from rollout_conformance.contracts.rollout.wire_routed import TERMINAL, CancelRequest, Disposition

Status = Literal["queued", "running", "grading", "success", "failure", "cancelled"]


class StatusStore:
    """Keeps all rollouts that have not ended, and the latest `limit` that have."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, Status] = {}
        self._ended: OrderedDict[str, Status] = OrderedDict()

    def set(self, rollout_id: str, status: Status) -> None:
        if status not in TERMINAL:
            self._open[rollout_id] = status
            return
        self._open.pop(rollout_id, None)
        self._ended[rollout_id] = status
        if len(self._ended) > self._limit:
            self._ended.popitem(last=False)

    def get(self, rollout_id: str) -> Status | None:
        return self._open.get(rollout_id) or self._ended.get(rollout_id)

    def matching(self, request: CancelRequest) -> list[str]:
        """The ids that a cancellation selects. Ids that it names are included, known or not."""
        if request.ids is not None:
            return list(dict.fromkeys(request.ids))
        return [name for name in self._cancellable() if request.prefix is None or name.startswith(request.prefix)]

    def disposition(self, rollout_id: str) -> Disposition:
        status = self._open.get(rollout_id)
        if status == "queued":
            return "cancelled_queued"
        return "cancelled_running" if status == "running" else "not_found"

    def _cancellable(self) -> Iterable[str]:
        return [name for name, status in self._open.items() if status in ("queued", "running")]
