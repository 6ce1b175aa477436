"""Where every routed rollout stands, and which of them a cancellation means."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

from rollout_conformance.contracts.rollout.wire_routed import TERMINAL, CancelRequest, Disposition

Standing = Literal["queued", "running", "grading", "success", "failure", "cancelled"]


class Board:
    """Remembers as many ended rollouts as it is told to; those that have not ended are never forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, Standing] = {}
        self._ended: OrderedDict[str, Standing] = OrderedDict()

    def put(self, rollout_id: str, standing: Standing) -> None:
        if standing not in TERMINAL:
            self._open[rollout_id] = standing
            return
        self._open.pop(rollout_id, None)
        self._ended[rollout_id] = standing
        if len(self._ended) > self._most:
            self._ended.popitem(last=False)

    def of(self, rollout_id: str) -> Standing | None:
        return self._open.get(rollout_id) or self._ended.get(rollout_id)

    def meant(self, request: CancelRequest) -> list[str]:
        """The ids that a cancellation is about; those that it names are among them, known or not."""
        if request.rollout_ids is not None:
            return list(dict.fromkeys(request.rollout_ids))
        return [name for name in self._cancellable() if request.prefix is None or name.startswith(request.prefix)]

    def disposition(self, rollout_id: str) -> Disposition:
        standing = self._open.get(rollout_id)
        if standing == "queued":
            return "cancelled_queued"
        return "cancelled_running" if standing == "running" else "not_found"

    def _cancellable(self) -> Iterable[str]:
        return [name for name, standing in self._open.items() if standing in ("queued", "running")]
