"""The end of what a user reads of a run: how many cases there were of each kind, what was not judged and why, and one plain sentence. Pure text."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import Verdict, counts
from rollout_conformance.steps.engine.outcome import Outcome

CLOSING = "Not conformant"  # a profile may say more
KNOWN, FLAKY, WARNING = "known", "flaky", "warning"
KINDS = (Verdict.PASS, WARNING, KNOWN, FLAKY, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP, Verdict.INCONCLUSIVE)


def summary(
    outcomes: Sequence[Outcome],
    catalogue: Mapping[str, Requirement],
    level: str = "must",
    whole: bool = True,
    closing: str = CLOSING,
) -> str:
    """Totals, what was skipped and why, what could not be judged, and one plain sentence. `whole` when all cases were played; `closing` is
    what is said of a target that breaks a requirement."""
    return "\n".join([*lines_of_counts(outcomes), "", sentence(outcomes, catalogue, level, whole, closing)])


def lines_of_counts(outcomes: Sequence[Outcome]) -> list[str]:
    """How many cases there were of each kind, and of those that did not simply pass the reasons."""
    parts = (_known, _skips, _silent, _unstable, _resting, _errors)
    return [totals(outcomes), *(line for part in parts for line in part(outcomes))]


def kind_of(outcome: Outcome) -> str:
    """The word under which a case is counted: its verdict, or what a baseline or a warning makes of that."""
    judgement = outcome.judgement
    if judgement.known:
        return FLAKY if judgement.flaky else KNOWN
    if judgement.verdict is Verdict.PASS and any(not finding.known for finding in judgement.findings):
        return WARNING
    return judgement.verdict


def totals(outcomes: Sequence[Outcome]) -> str:
    """`6 cases: 3 pass, 2 known, 1 warning`. Each case is counted once."""
    found = Counter(map(kind_of, outcomes))
    found_words = (
        f"{found[word]} {word}{'s' if word == WARNING and found[word] > 1 else ''}" for word in KINDS if found[word]
    )
    different = len({outcome.case.id for outcome in outcomes})
    repeated = f"{len(outcomes)} plays of " if different < len(outcomes) else ""
    ends = ", ".join(found_words)
    return f"{repeated}{plural(different, 'case')}{': ' if ends else ''}{ends}"


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _known(outcomes: Sequence[Outcome]) -> list[str]:
    """What a baseline excuses, a line for each requirement and reason."""
    found = Counter(one for outcome in outcomes for one in _excused(outcome))
    return [f"  known {name} in {plural(count, 'case')}: {reason}" for (name, reason), count in sorted(found.items())]


def _excused(outcome: Outcome) -> set[tuple[str, str]]:
    return {(finding.requirement, finding.known) for finding in outcome.judgement.findings if finding.known}


def _unstable(outcomes: Sequence[Outcome]) -> list[str]:
    """The cases that were played several times (`--repeat`) with different ends."""
    plays: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        plays[outcome.case.id].append(outcome)
    return [_ends(some) for some in plays.values() if len(set(map(kind_of, some))) > 1]


def _ends(plays: Sequence[Outcome]) -> str:
    case, found = plays[0].case, Counter(map(kind_of, plays))
    ends = ", ".join(f"{count} {word}" for word, count in found.most_common())
    return f'  differs from play to play: {case.at} "{case.name}" [{case.dialect}]: {ends}'


def slowest(outcomes: Sequence[Outcome], most: int) -> list[str]:
    """The cases that took longest, with their seconds."""
    found = sorted(outcomes, key=lambda outcome: -outcome.seconds)[:most]
    rows = [f'  {o.seconds:7.2f} s  {o.case.at}  "{o.case.name}" [{o.case.dialect}]' for o in found]
    return ["Slowest:", *rows, ""] if rows else []


def _skips(outcomes: Sequence[Outcome]) -> list[str]:
    reasons = Counter(o.judgement.reason for o in outcomes if o.judgement.verdict is Verdict.SKIP)
    return [f"  skipped {count}: {reason}" for reason, count in reasons.most_common()]


def _silent(outcomes: Sequence[Outcome]) -> list[str]:
    reasons = Counter(o.judgement.reason for o in outcomes if o.judgement.verdict is Verdict.INCONCLUSIVE)
    return [f"  inconclusive {count}: {reason}" for reason, count in reasons.most_common()]


def _resting(outcomes: Sequence[Outcome]) -> list[str]:
    resting = [o for o in outcomes if o.judgement.unjudged]
    demands = sum(o.judgement.unjudged for o in resting)
    why = "what they rest on ended otherwise (see above)"
    return [f"  not judged {demands} expectation(s) of {len(resting)} case(s): {why}"] if resting else []


def _errors(outcomes: Sequence[Outcome]) -> list[str]:
    broken = [outcome for outcome in outcomes if outcome.judgement.verdict is Verdict.ERROR]
    reasons = Counter(outcome.judgement.reason for outcome in broken)
    first = {o.judgement.reason: o.case for o in reversed(broken)}
    return [
        f'  could not judge {first[reason].at} "{first[reason].name}" [{first[reason].dialect}]{_and_more(count)}: {reason}'
        for reason, count in reasons.items()
    ]


def _and_more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def sentence(
    outcomes: Sequence[Outcome],
    catalogue: Mapping[str, Requirement],
    level: str,
    whole: bool = True,
    closing: str = CLOSING,
) -> str:
    """Whether the target breaks what it must not."""
    broken = broken_requirements(outcomes, catalogue, level)
    if broken:
        return f"{closing}: {plural(len(broken), 'requirement')} broken: {', '.join(broken)}."
    known = sorted({finding.requirement for o in outcomes for finding in o.judgement.findings if finding.known})
    judged = {name for o in outcomes for name, verdict in o.judgement.requirements.items() if verdict is Verdict.PASS}
    judged -= set(known)
    if not whole:
        return f"No verdict: the run did not get to its end. Nothing required was seen broken in {len(judged)} requirements."
    if any(outcome.judgement.verdict is Verdict.ERROR for outcome in outcomes):
        return f"Could not be judged in full: nothing required was seen broken in {len(judged)} requirements, but cases failed to run."
    if known:
        return f"Nothing new is broken: {len(judged)} requirements were judged and kept, {len(known)} known to be broken: {', '.join(known)}."
    if not judged:
        return _none_kept(outcomes)
    return f"Nothing required is broken: {plural(len(judged), 'requirement')} {'was' if len(judged) == 1 else 'were'} judged and kept."


def _none_kept(outcomes: Sequence[Outcome]) -> str:
    """Of a run of few cases, which may all break something that is only recommended."""
    warned = {finding.requirement for o in outcomes for finding in o.judgement.findings}
    if not warned:
        return "No verdict: nothing was judged."
    return f"Nothing required is broken, and nothing else was judged: warnings about {', '.join(sorted(warned))}."


def broken_requirements(outcomes: Iterable[Outcome], catalogue: Mapping[str, Requirement], level: str) -> list[str]:
    levels = {name: requirement.level for name, requirement in catalogue.items()}
    found = (f for o in outcomes for f in o.judgement.findings if not f.strict_only and not f.known)
    return sorted({f.requirement for f in found if counts(f.level(levels), level)})
