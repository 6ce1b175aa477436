"""The leases of leased rollouts: who may fetch a result, until when it must be requested, and the results themselves.

Decisions only, no I/O but waiting; the time is passed in. A result is stored once and never changed.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]


@dataclass(slots=True)
class Lease:
    """The lease of one rollout. `changed` is set, and replaced, whenever the status changes."""

    token: str
    expires: float
    status: str = "queued"
    result: Body | None = None
    ended: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def is_expired(self, now: float) -> bool:
        return self.result is None and now >= self.expires

    def set_status(self, status: str) -> None:
        if self.result is None:
            self.status = status
            self._wake()

    def finish(self, body: Body, now: float) -> bool:
        """Whether this is the result: only the first one is."""
        if self.result is not None:
            return False
        self.result, self.status, self.ended = body, str(body["status"]), now
        self._wake()
        return True

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class LeaseStore:
    """Keeps every rollout that has not ended, and those that have for `keep_s` seconds, the latest `limit` of them."""

    def __init__(self, lease_s: float, keep_s: float, limit: int) -> None:
        self.lease_s, self._keep_s, self._limit = lease_s, keep_s, limit
        self._leases: dict[str, Lease] = {}
        self._ended: OrderedDict[str, Lease] = OrderedDict()

    def open(self, rollout_id: str, now: float) -> Lease:
        lease = Lease(secrets.token_urlsafe(24), now + self.lease_s)
        self._leases[rollout_id] = lease
        return lease

    def discard(self, rollout_id: str) -> None:
        self._leases.pop(rollout_id, None)

    def get(self, rollout_id: str) -> Lease | None:
        return self._leases.get(rollout_id)

    def accepts(self, lease: Lease, token: str) -> bool:
        return secrets.compare_digest(lease.token.encode(), token.encode("utf-8", "replace"))

    def renew(self, lease: Lease, now: float) -> None:
        lease.expires = now + self.lease_s

    def finish(self, rollout_id: str, body: Body, now: float) -> None:
        lease = self._leases.get(rollout_id)
        if lease is not None and lease.finish(body, now):
            self._ended[rollout_id] = lease
            self.prune(now)

    def prune(self, now: float) -> None:
        """Remove what ended too long ago, and the oldest beyond the limit."""
        while self._ended:
            oldest = next(iter(self._ended.values()))
            if now - oldest.ended < self._keep_s and len(self._ended) <= self._limit:
                return
            rollout_id, _ = self._ended.popitem(last=False)
            del self._leases[rollout_id]
