"""All sessions by rollout id: those that run, and the latest `max_records` that have ended."""

from collections import OrderedDict

from rollout_conformance.rollout_server.trainer import errors
from rollout_conformance.rollout_server.trainer.session import Session


class SessionStore:
    def __init__(self, max_active: int, max_records: int) -> None:
        self._max_active = max_active
        self._max_records = max_records
        self._running: dict[str, Session] = {}
        self._ended: OrderedDict[str, Session] = OrderedDict()

    def find(self, rollout_id: str) -> Session:
        """Raises `ApiError` 404."""
        session = self._running.get(rollout_id) or self._ended.get(rollout_id)
        if session is None:
            raise errors.unknown()
        return session

    def has(self, rollout_id: str) -> bool:
        return rollout_id in self._running or rollout_id in self._ended

    def with_key(self, key: str) -> Session | None:
        """The session whose rollout has this key."""
        return next((one for one in (*self._running.values(), *self._ended.values()) if one.key == key), None)

    def open(self, session: Session) -> None:
        """Raises `ApiError`: 409 for an id that was used, 429 when too many run."""
        if session.rollout_id in self._running or session.rollout_id in self._ended:
            raise errors.used_id()
        if len(self._running) >= self._max_active:
            raise errors.full()
        self._running[session.rollout_id] = session

    def close(self, session: Session) -> None:
        """Keep an ended session, and remove the oldest ones beyond the limit."""
        self._running.pop(session.rollout_id, None)
        self._ended[session.rollout_id] = session
        while len(self._ended) > self._max_records:
            self._ended.popitem(last=False)
