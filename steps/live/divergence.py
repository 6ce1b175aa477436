"""Where mock and live disagree, case by case: the verdicts of both, what differs on the wire, how long the model took.

Both pass: safe to deploy. The mock passes and live fails: critical, the mock has drifted or the integration is broken. The mock fails:
an error in the logic, with no need of a model to see it. A requirement that only live breaks, below the level of the run (a SHOULD, as a
rule), is advisory: it makes no case critical. Everything else is undecided, and counted; what
either side has no capability for is left out.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.live import wire_diff
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.live.trainer import Drift, Drifts
from rollout_conformance.steps.live.wire_diff import Difference

MOST_SHOWN = 20
LONGEST = 300  # characters of a reason


class Kind(StrEnum):
    SAFE = "safe"
    CRITICAL = "critical"
    ADVISORY = "advisory"
    LOGIC = "logic"
    UNDECIDED = "undecided"


MEANING: Mapping[Kind, str] = {
    Kind.SAFE: "mock and live pass: safe to deploy",
    Kind.CRITICAL: "mock passes, live fails: CRITICAL, the mock has drifted or the integration is broken",
    Kind.ADVISORY: "mock keeps the requirement, live breaks it, below the level of the run: no case fails for it",
    Kind.LOGIC: "mock fails: logic error",
    Kind.UNDECIDED: "not decided on both sides",
}
# What a case takes with a model of a class, in seconds for its slowest generation.
CLASSES: tuple[tuple[float, str], ...] = (
    (0.1, "as fast as a mock"),
    (1.0, "faster than a 7B"),
    (3.0, "like a 7B"),
    (7.0, "like a 13B"),
    (30.0, "like a 70B"),
)
SLOW = "over 30 s: investigate"


@dataclass(frozen=True, slots=True)
class Played:
    """One of the two runs. `drifts` are prompts that the engine tokenized otherwise than the suite."""

    outcomes: Mapping[str, Outcome]
    model: str = ""
    drifts: tuple[Drift, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One case. `seconds` is its slowest generation live, None where there was none."""

    case: Case
    mock: Verdict
    live: Verdict
    kind: Kind
    reason: str
    differences: tuple[Difference, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Divergence:
    """All of it."""

    cases: tuple[Compared, ...]
    live: Played
    requirements: Mapping[str, Kind] = field(default_factory=dict)


def compared(mock: Played, live: Played, allowed: wire_diff.Allowed | None = None) -> Divergence:
    allowed = allowed or wire_diff.mask()
    names = [
        name for name, one in mock.outcomes.items() if name in live.outcomes and not _skipped(one, live.outcomes[name])
    ]
    cases = tuple(_case(mock.outcomes[name], live.outcomes[name], allowed) for name in names)
    return Divergence(cases, live, _requirements(cases, mock, live))


def together(parts: Sequence[Divergence]) -> Divergence:
    """The comparisons of several profiles as one."""
    drifts = tuple(drift for part in parts for drift in part.live.drifts)
    texts = tuple(text for part in parts for text in part.live.texts)
    live = Played({}, parts[0].live.model, drifts, texts)
    requirements = {name: kind_ for part in parts for name, kind_ in part.requirements.items()}
    return Divergence(tuple(one for part in parts for one in part.cases), live, requirements)


def _skipped(*outcomes: Outcome) -> bool:
    """Whether a capability is missing on either side: there is nothing to compare then, unless the mock fails."""
    verdicts = [one.judgement.verdict for one in outcomes]
    return Verdict.SKIP in verdicts and verdicts[0] not in BROKEN


def _case(mock: Outcome, live: Outcome, allowed: wire_diff.Allowed) -> Compared:
    verdicts = mock.judgement.verdict, live.judgement.verdict
    both = mock.trace is not None and live.trace is not None
    differences = wire_diff.differences(mock.trace or Trace(), live.trace or Trace(), allowed) if both else ()
    reason = _reason(mock) if verdicts[0] in BROKEN else _reason(live) or _reason(mock)
    return Compared(mock.case, *verdicts, kind(*verdicts), reason, differences, slowest(live.trace))


def _reason(outcome: Outcome) -> str:
    """Why a case ended as it did: of one that fails, the first requirement that it breaks, which need not be the one that it is about."""
    first = next(iter(outcome.judgement.findings), None)
    if outcome.judgement.reason or first is None:
        return outcome.judgement.reason
    told = f"{first.requirement}, expected {first.expected}, observed {first.observed}"
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}..."


def kind(mock: Verdict, live: Verdict) -> Kind:
    if mock in BROKEN:
        return Kind.LOGIC
    if (mock, live) == (Verdict.PASS, Verdict.PASS):
        return Kind.SAFE
    return Kind.CRITICAL if mock is Verdict.PASS and live in BROKEN else Kind.UNDECIDED


def _requirements(cases: Iterable[Compared], mock: Played, live: Played) -> dict[str, Kind]:
    """Each requirement that either run judged: the worst of what its cases say."""
    worst = [Kind.UNDECIDED, Kind.SAFE, Kind.ADVISORY, Kind.CRITICAL, Kind.LOGIC]
    found: dict[str, Kind] = {}
    for one in cases:
        ours = mock.outcomes[one.case.id].judgement.requirements
        theirs = live.outcomes[one.case.id].judgement.requirements
        for name in {*ours, *theirs}:
            said = kind(ours.get(name, Verdict.SKIP), theirs.get(name, Verdict.SKIP))
            if said is Kind.CRITICAL and one.kind is not Kind.CRITICAL:
                said = Kind.ADVISORY
            found[name] = max(found.get(name, said), said, key=worst.index)
    return found


def slowest(trace: Trace | None) -> float | None:
    """The longest that a generation took, in seconds."""
    took = [
        exchange.elapsed_s
        for exchange in (trace.exchanges if trace else ())
        if exchange.elapsed_s is not None and exchange.request.path.partition("?")[0].endswith("/chat/completions")
    ]
    return max(took, default=None)


def latency_class(seconds: float) -> str:
    return next((name for most, name in CLASSES if seconds <= most), SLOW)


def exit_code(found: Divergence) -> int:
    """0 deploy, 1 do not, 2 nothing was decided."""
    kinds = Counter(one.kind for one in found.cases)
    if kinds[Kind.CRITICAL] or kinds[Kind.LOGIC] or found.live.drifts:
        return 1
    broken = any(Verdict.ERROR in (one.mock, one.live) for one in found.cases)
    return 2 if broken or not kinds[Kind.SAFE] else 0


def lines(found: Divergence) -> Iterator[str]:
    """The report for people."""
    for kind_ in (Kind.LOGIC, Kind.CRITICAL, Kind.UNDECIDED):
        of_kind = [one for one in found.cases if one.kind is kind_]
        if of_kind:
            yield f"{MEANING[kind_]}: {len(of_kind)} case(s)"
            yield from (f"  {one.case.id}  mock {one.mock}, live {one.live}{_why(one)}" for one in of_kind[:MOST_SHOWN])
            yield ""
    yield from _drifted(found.live)
    yield from _differing(found.cases)
    yield from _requirements_apart(found)
    yield from _slow(found.cases)
    yield from _totals(found)


def _why(one: Compared) -> str:
    return f": {one.reason}" if one.reason else ""


def _drifted(live: Played) -> Iterator[str]:
    """Prompts are equal token for token, or the place of the first difference is shown in both readings."""
    if not live.drifts:
        return
    yield f"The engine reads prompts otherwise than the suite: {len(live.drifts)} time(s). The first of them:"
    drift = live.drifts[0]
    at = slice(max(0, drift.position - 4), drift.position + 8)
    yield f"  rollout {drift.rollout}, token {drift.position}"
    yield (
        f"  suite   ids {list(drift.ours[at])}  text {live.texts[0][0]!r}"
        if live.texts
        else f"  suite   ids {list(drift.ours[at])}"
    )
    yield (
        f"  engine  ids {list(drift.theirs[at])}  text {live.texts[0][1]!r}"
        if live.texts
        else f"  engine  ids {list(drift.theirs[at])}"
    )
    yield "  Its tokenizer or its chat template is another one. Serve the model with those of --tokenizer."
    yield ""


def _differing(cases: Iterable[Compared]) -> Iterator[str]:
    seen = Counter(difference for one in cases for difference in dict.fromkeys(_key(d) for d in one.differences))
    example = {_key(d): (d, one.case) for one in cases for d in one.differences}
    if seen:
        yield "Members that differ live, beyond what scenarios/divergence.yaml allows:"
        for key, count in seen.most_common(MOST_SHOWN):
            difference, case = example[key]
            told = f"scripted {difference.scripted}, live {difference.live}"
            yield f"  {difference.member}  {difference.what}: {told}"
            yield f"    in {count} case(s), such as {case.name!r} [{case.dialect}]"
        yield ""


def _key(difference: Difference) -> tuple[str, str]:
    return difference.member, difference.what


def _requirements_apart(found: Divergence) -> Iterator[str]:
    """Requirements that hold by script and not live, where no case fails for it: they are no MUST, or not counted."""
    apart = sorted(name for name, kind_ in found.requirements.items() if kind_ is Kind.ADVISORY)
    if apart:
        yield f"Held by script and not live, below the level of the run: {', '.join(apart)}"
        yield ""


def _slow(cases: Iterable[Compared]) -> Iterator[str]:
    times = sorted(one.seconds for one in cases if one.seconds is not None)
    if times:
        middle, worst = times[len(times) // 2], times[-1]
        yield f"slowest generation of a case: median {middle:.2f} s ({latency_class(middle)}), worst {worst:.2f} s ({latency_class(worst)})"


def _totals(found: Divergence) -> Iterator[str]:
    kinds = Counter(one.kind for one in found.cases)
    yield f"{len(found.cases)} cases with {found.live.model or 'the model'}: " + ", ".join(
        f"{kinds[k]} {k}" for k in Kind if k is not Kind.ADVISORY
    )
    by_requirement = Counter(found.requirements.values())
    yield f"{len(found.requirements)} requirements: " + ", ".join(
        f"{by_requirement[k]} {k}" for k in Kind if by_requirement[k] or k is not Kind.ADVISORY
    )
    told = {0: "Safe to deploy.", 1: "Do not deploy.", 2: "Not decided: nothing says that it is safe."}
    yield told[exit_code(found)]


def write(file: Path, found: Divergence) -> None:
    """The report as data: one JSON object a line, header, cases, requirements, footer."""
    kinds = Counter(one.kind for one in found.cases)
    with file.open("w", encoding="utf-8") as stream:
        for entry in (
            {"type": "header", "report": "divergence", "model": found.live.model, "drifts": len(found.live.drifts)},
            *({"type": "divergence", **_entry(one)} for one in found.cases),
            *({"type": "requirement", "id": name, "kind": kind_} for name, kind_ in sorted(found.requirements.items())),
            {"type": "footer", "cases": len(found.cases), "kinds": dict(kinds), "exit": exit_code(found)},
        ):
            stream.write(redacted(json.dumps(entry)) + "\n")


def _entry(one: Compared) -> dict[str, object]:
    return {
        "case": one.case.id,
        "mock": one.mock,
        "live": one.live,
        "kind": one.kind,
        "reason": one.reason,
        "generation_s": one.seconds,
        "class": latency_class(one.seconds) if one.seconds is not None else None,
        "differences": [asdict(difference) for difference in one.differences],
    }


def of_run(engine: Engine | None, drifts: Drifts, outcomes: Iterable[Outcome]) -> Played:
    """What a run that is still open has to say."""
    model = f"{engine.model} ({engine.version})" if engine else ""
    return Played({one.case.id: one for one in outcomes}, model, drifts.all, drifts.texts)
