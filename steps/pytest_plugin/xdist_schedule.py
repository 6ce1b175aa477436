"""How pytest-xdist spreads cases over its workers: all of a group go to one worker, which plays them at once, as a session without -n does.

Spread one by one, every worker would play all cases of the session, and a target would be judged twice at the same time.
"""

from collections.abc import Iterator

import pytest
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from rollout_conformance.steps.pytest_plugin.case_groups import group_of

DEFAULT = "load"  # what -n implies; whoever asks for another --dist gets it


class GroupScheduling(LoadScheduling):  # type: ignore[misc]  # xdist is untyped
    """The default schedule of xdist, in which the items of a group are sent together. For items of no group it is the default."""

    collection: list[str] | None
    pending: list[int]  # of the collection
    node2pending: dict[WorkerController, list[int]]

    def _send_tests(self, node: WorkerController, num: int) -> None:
        chosen = list(self._chosen(num))
        if chosen:
            sent = set(chosen)
            self.pending = [index for index in self.pending if index not in sent]
            self.node2pending[node].extend(chosen)
            node.send_runtest_some(chosen)

    def _chosen(self, num: int) -> Iterator[int]:
        """The first pending items: whole groups, and `num` items or, where the last is one of a large group, more."""
        groups = self._pending_groups()
        given: set[int] = set()
        for index in self.pending:
            if len(given) >= num:
                return
            if index not in given:
                together = groups[self._group(index)]
                given.update(together)
                yield from together

    def _pending_groups(self) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for index in self.pending:
            groups.setdefault(self._group(index), []).append(index)
        return groups

    def _group(self, index: int) -> str:
        """The group of an item; one of no group is alone in its own."""
        nodeid = (self.collection or [])[index]
        return group_of(nodeid) or nodeid


def scheduler(config: pytest.Config, log: object) -> GroupScheduling | None:
    return GroupScheduling(config, log) if config.getvalue("dist") == DEFAULT else None
