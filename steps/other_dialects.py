"""Says which of the cases that a user named are played in no dialect of the target, and why. Pure text."""

from collections.abc import Collection, Iterable, Sequence

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions, card_of

LISTED = 6  # cases that are named


def unplayed(cases: Iterable[Case], dialects: Collection[str]) -> list[Case]:
    """The cases that are written for other dialects only: one that is played in another dialect is not among them."""
    cases = list(cases)
    played = {_written(case) for case in cases if case.dialect in dialects}
    return [case for case in cases if _written(case) not in played]


def lines(cases: Sequence[Case], dialects: Sequence[str], options: RunOptions) -> list[str]:
    """`2 cases are of routed, leased; the target is callback`, and the names of the cases; nothing where all are played."""
    missing = unplayed(cases, dialects)
    if not missing:
        return []
    of = ", ".join(dict.fromkeys(case.dialect for case in missing))
    verb = "is" if len(missing) == 1 else "are"
    names = list(dict.fromkeys(f'{case.at} "{case.name}"' for case in missing))
    more = [f"    and {len(names) - LISTED} more"] if len(names) > LISTED else []
    told = f"{plural(len(missing), 'case')} {verb} of {of}; {_judged(dialects, options)}"
    return [told, *(f"    {name}" for name in names[:LISTED]), *more]


def _judged(dialects: Sequence[str], options: RunOptions) -> str:
    """Which dialects the run judges, and whose choice that is."""
    listed = ", ".join(dialects)
    if options.dialect:
        return f"--dialect {options.dialect} was asked for"
    if card_of(options, profile_of(options.profile)).dialects and options.target:
        return f"the target is {listed} (`dialects` on the card)"
    return f"the target is {listed}"


def _written(case: Case) -> tuple[object, ...]:
    return case.name, case.at
