"""Runs the checks against every mutant, each in a process of its own, because what one patches would spoil the next.

`python -m rollout_conformance.rollout_server.tests.training.try_mutants [NAME…]` prints a line for each: its name, a tab, the first check that
fails, or nothing where all pass. The checks that bear the number of the broken requirement come first.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator

from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant
from rollout_conformance.rollout_server.mutants.training import ALL
from rollout_conformance.rollout_server.tests.training.checks import CHECKS
from rollout_conformance.rollout_server.tests.training.support import play

AT_ONCE = 2
OWN_LIMIT_S = 3.0  # of a blocking read: a mutant that hangs is found by it


def speaks(mutant: Mutant, signal: bool) -> bool:
    return not mutant.dialects or bool({"signal"} & {*mutant.dialects} if signal else {*mutant.dialects} - {"signal"})


def in_order(mutant: Mutant) -> Iterator[str]:
    """Those of its own number, then those of its dialects."""
    prefix = f"/{mutant.breaks[1:]}_"
    mine = [name for name in CHECKS if speaks(mutant, name.startswith("signal"))]
    own = [name for name in mine if prefix in name]
    rest = [name for name in mine if name not in own]
    yield from (*own, *rest)


def first_failure(mutant: Mutant) -> str:
    mutant.patch()
    for name in in_order(mutant):
        try:
            play(CHECKS[name], poll_s=OWN_LIMIT_S, result_wait_s=OWN_LIMIT_S)
        except BaseException:  # a check fails in any way, by a deadline too
            return name
    return ""


def tried(name: str) -> tuple[str, str]:
    return name, first_failure(ALL[name])


def run(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    context = multiprocessing.get_context("fork")
    with context.Pool(AT_ONCE, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(tried, list(names), chunksize=1)


def main() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    names = sys.argv[1:] or [name for name, mutant in ALL.items() if mutant.by != TESTS]
    for name, failed in run(names):
        sys.stdout.write(f"{name}\t{failed}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
