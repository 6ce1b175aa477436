"""The order of the requests of one model.

Each carries a number, and they run in the order of their numbers, whatever the order of arrival. Numbers may be missing: a client that refuses
a call of its own user has spent the number. So a missing one holds back those after it for a bounded time only. Once a later number has run, an
earlier one is refused. This module does not wait: it says for how long to.
"""

import heapq
from dataclasses import dataclass, field

FIRST = 1


@dataclass(order=True, slots=True)
class Waiting:
    """Requests without a number (`nth` above 0) run after what had arrived before them."""

    seq: int
    nth: int
    request_id: str = field(compare=False)


@dataclass(slots=True)
class Lane:
    """`last` is the highest number that has run, `spent` those above it that will never come, `waited` how long the present hole has held back."""

    wait_s: float
    last: int = FIRST - 1
    waiting: list[Waiting] = field(default_factory=list)
    spent: set[int] = field(default_factory=set)
    count: int = 0
    started: bool = False
    waited: float = 0.0

    def accepts(self, seq: int) -> bool:
        return seq > self.last or (seq == FIRST - 1 and not self.started)

    def add(self, request_id: str, seq: int | None) -> None:
        self.count += 1
        if seq is None:
            highest = max((one.seq for one in self.waiting), default=self.last)
            heapq.heappush(self.waiting, Waiting(highest, self.count, request_id))
        else:
            self.spent.discard(seq)
            heapq.heappush(self.waiting, Waiting(seq, 0, request_id))

    def spend(self, seq: int) -> None:
        """The request with this number was refused."""
        if seq > self.last:
            self.spent.add(seq)

    def delay(self) -> float | None:
        """Seconds until the first that waits may run; None when nothing waits."""
        if not self.waiting:
            return None
        if self.waiting[0].nth > 0 or not self.has_hole(self.waiting[0].seq):
            return 0.0
        return max(0.0, self.wait_s - self.waited)

    def has_hole(self, seq: int) -> bool:
        return any(number not in self.spent for number in range(self.last + 1, min(seq, self.last + 10_000)))

    def take(self) -> str:
        """The request that runs now."""
        first = heapq.heappop(self.waiting)
        self.started, self.waited = True, 0.0
        if first.nth == 0 and first.seq > self.last:
            self.last = first.seq
            self.spent = {number for number in self.spent if number > first.seq}
        return first.request_id

    def remove(self, request_id: str) -> bool:
        """Whether it was waiting."""
        before = len(self.waiting)
        self.spent |= {one.seq for one in self.waiting if one.request_id == request_id and one.nth == 0}
        self.waiting = [one for one in self.waiting if one.request_id != request_id]
        heapq.heapify(self.waiting)
        return len(self.waiting) < before
