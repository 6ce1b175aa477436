"""Every mutant of a catalogue in a process of its own, because what one patches would spoil the next."""

import os
from collections.abc import Callable, Iterable

from rollout_conformance.rollout_server.mutants.framework import Catalogue


def each(
    catalogue: Catalogue,
    lines: Callable[[str, tuple[str, ...]], Iterable[str]],
    at_once: int,
    names: Iterable[str] = (),
) -> None:
    """Prints what `lines` says of each mutant (or of those of these names), by its name and dialects, in a process that the mutant has patched."""
    wanted = set(names)
    children = 0
    for mutant in catalogue.mutants.values():
        if wanted and mutant.name not in wanted:
            continue
        if children == at_once:
            os.wait()
            children -= 1
        if os.fork() == 0:
            mutant.patch()
            os.write(1, "".join(lines(mutant.name, mutant.dialects or catalogue.dialects)).encode())
            os._exit(0)
        children += 1
    for _ in range(children):
        os.wait()
