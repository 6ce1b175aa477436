"""What a run would play, without a target being asked: from the cases, the card and the options alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.base import Setting
from rollout_conformance.steps.profiles.parts import REQUIRES
from rollout_conformance.steps.run_setup import RunOptions, card_of, patient, wanted_dialects, with_known_variants

NO_PORT = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A case, and what is missing for it to be played: empty where nothing is."""

    case: Case
    lacking: str = ""

    @property
    def plan(self) -> str:
        """`play`, `skip`, or `may` where the target can show what its card does not declare."""
        return "play" if not self.lacking else "may" if self.lacking.startswith(REQUIRES) else "skip"


@dataclass(frozen=True, slots=True)
class DryRun:
    """`other_dialects` is the number of cases of dialects that are not judged."""

    options: RunOptions
    dialects: tuple[str, ...]
    planned: tuple[Planned, ...]
    other_dialects: int = 0

    @property
    def plays(self) -> bool:
        """Whether anything may be played."""
        return any(one.plan != "skip" for one in self.planned)


async def dry_run(run_options: RunOptions, cases: Sequence[Case]) -> DryRun:
    """Sort the cases by whether anything is missing. The peers of the profile listen meanwhile, and their address is given to no target."""
    profile = profile_of(run_options.profile)
    card = patient(card_of(run_options, profile), run_options)
    dialects = wanted_dialects(run_options, card, profile)
    target = run_options.target or profile.reference.app
    access = (run_options.target_key, run_options.tokenizer, run_options.tokenizer_name, NO_PORT)
    async with profile.peers(Setting(target, card, *access, "dry-run", model=run_options.model)) as peers:
        mine = with_known_variants((case for case in cases if case.dialect in dialects), card)
        planned = tuple(Planned(case, peers.lacks(case) or "") for case in mine)
    return DryRun(run_options, dialects, planned, len(cases) - len(mine))


def lines(found: DryRun, *, every: bool = False) -> Iterator[str]:
    """What would be played, and for the other cases what is missing; with `every` a line for each case."""
    options = found.options
    target = options.target or "the reference"
    yield f"Dry run, nothing was asked of {target}. Profile {options.profile}, dialects {', '.join(found.dialects)}."
    if every:
        yield from (_line(one) for one in found.planned)
    played = sum(one.plan == "play" for one in found.planned)
    yield f"{played} of {len(found.planned)} cases would be played."
    yield from _missing(found, "may", "would be played where the target shows, or its card declares, what they need")
    yield from _missing(found, "skip", "would be skipped")
    if found.other_dialects:
        yield f"{found.other_dialects} are of other dialects."


def _missing(found: DryRun, plan: str, told: str) -> Iterator[str]:
    missing = Counter(one.lacking for one in found.planned if one.plan == plan)
    if missing:
        yield f"{missing.total()} {told}:"
        yield from (f"  {count:5}  {reason}" for reason, count in missing.most_common())


def _line(one: Planned) -> str:
    case = one.case
    shown = f"{one.plan:4}  {case.at}  {case.name}[{case.dialect}]"
    return f"{shown}  {one.lacking}" if one.lacking else shown
