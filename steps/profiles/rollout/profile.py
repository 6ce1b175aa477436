"""The profile `rollout`: a rollout server is judged, the suite plays the trainer."""

from collections.abc import Iterator
from functools import partial

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.rollout.lifecycle import TABLES
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import (
    Explore,
    Fuzz,
    Mutants,
    Reference,
)
from rollout_conformance.steps.profiles.recording import Recorder
from rollout_conformance.steps.profiles.rollout import fuzz_adapter, setup
from rollout_conformance.steps.profiles.rollout.capabilities import CONTRACT, TEXTS
from rollout_conformance.steps.profiles.rollout.card import RolloutCard
from rollout_conformance.steps.profiles.rollout.case_model import RolloutCase
from rollout_conformance.steps.profiles.rollout.cause import ENDS_BY_ITSELF, cause
from rollout_conformance.steps.profiles.rollout.context import (
    CaseContext,
    CaseState,
)
from rollout_conformance.steps.profiles.rollout.fuzz_adapter import dialect_of
from rollout_conformance.steps.profiles.rollout.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.rollout.invariants.auth import auth, isolation, secrets
from rollout_conformance.steps.profiles.rollout.invariants.completion import completion, repetition
from rollout_conformance.steps.profiles.rollout.invariants.event_order import order
from rollout_conformance.steps.profiles.rollout.invariants.generation_requests import requests
from rollout_conformance.steps.profiles.rollout.invariants.history import history
from rollout_conformance.steps.profiles.rollout.invariants.http_surface import surface
from rollout_conformance.steps.profiles.rollout.invariants.leased import leased, unrequested
from rollout_conformance.steps.profiles.rollout.invariants.mask import mask
from rollout_conformance.steps.profiles.rollout.invariants.metrics import metrics, numbers
from rollout_conformance.steps.profiles.rollout.invariants.routed import routed
from rollout_conformance.steps.profiles.rollout.invariants.termination import ending, errors
from rollout_conformance.steps.profiles.rollout.invariants.tools import tools
from rollout_conformance.steps.profiles.rollout.mistakes import misplaced, mistakes
from rollout_conformance.steps.profiles.rollout.peers import peers
from rollout_conformance.steps.profiles.rollout.view import CaseView
from rollout_conformance.steps.profiles.rollout.view_reader import read
from rollout_conformance.steps.profiles.rollout.vocabulary import VOCABULARY


def width(case: Case) -> int:
    """How many rollouts a case has in flight at once, at most."""
    return sum(int(getattr(step.what, "copies", 0)) for step in case.actions)


def overdue(case: Case, view: CaseView) -> str | None:
    """Why a failed case proves nothing: a deadline that the target declares passed while the suite kept it waiting."""
    if "ROLLOUT-282" not in case.requirements:
        late = next(filter(None, map(unrequested, view.rollouts.values())), None)
        if late is not None:
            return late
    limits = [limit for limit in (view.limits.generation_timeout_s, view.limits.rollout_timeout_s) if limit is not None]
    if not limits or case.needs & {"generation_timeout", "rollout_timeout", "tool_timeout"}:
        return None
    for rollout in view.rollouts.values():
        times = [event.at for event in rollout.events]
        if rollout.is_error() and times and times[-1] - times[0] >= 0.9 * min(limits):
            return f"the case took longer than a deadline of the target's own ({min(limits):g} s)"
    return None


def smoke(context: object) -> Iterator[tuple[str, str]]:
    """The tools that the target shows."""
    if isinstance(context, CaseContext):
        yield "tools", ", ".join(context.tools) or "none shown"


def recorder(target: str) -> Recorder:
    """Imported when traffic is recorded."""
    from rollout_conformance.steps.profiles.rollout.recording.recorder import RolloutRecorder

    return RolloutRecorder(target)


def exploration() -> Explore:
    """Read when it is asked for: it needs Hypothesis."""
    from rollout_conformance.steps.profiles.rollout import exploration as module

    return module


CATALOGUE = requirements.load(CONTRACT.requirements)
PROFILE: Profile[CaseState, CaseView] = Profile(
    name="rollout",
    role="trainer",
    closing="Not fit to train on",
    dialects=("sync", "callback", "routed", "leased"),
    catalogue=CATALOGUE,
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.app:create_app",
        ROOT / "scenarios" / "cards" / "reference.yaml",
        Mutants("rollout_conformance.rollout_server.mutants.rollout", "ROLLOUT_MUTANT", frozenset({"ROLLOUT-231"})),
        served_by="rollout_conformance.steps.profiles.rollout.serve",
    ),
    tables=TABLES,
    peers=peers,
    read=read,
    invariants=(
        order,
        requests,
        history,
        tools,
        mask,
        ending,
        errors,
        completion,
        routed,
        leased,
        repetition,
        auth,
        secrets,
        isolation,
        metrics,
        numbers,
        surface,
    ),
    replaces_duplicates=frozenset({"ROLLOUT-112", "ROLLOUT-113", "ROLLOUT-114"}),
    masks_other_findings=frozenset({"ROLLOUT-047", "ROLLOUT-048", "ROLLOUT-063", "ROLLOUT-159", "ROLLOUT-284"}),
    inconclusive_reason=overdue,
    cause=partial(cause, CATALOGUE),
    ends_by_itself=ENDS_BY_ITSELF,
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="ROLLOUT-300",
        accepts="ROLLOUT-301",
        rejects="ROLLOUT-302",
        no_5xx="ROLLOUT-303",
        no_internals="ROLLOUT-123",
        no_secrets="ROLLOUT-175",
        internals=internal_error_patterns.STRICT,
        by_check={"unsupported_method": "ROLLOUT-014", "ignored_auth": "ROLLOUT-169"},
        gateway=False,
        dialect_of=dialect_of,
    ),
    greeting=greeting,
    vocabulary=VOCABULARY,
    phrases=("rollout_conformance.steps.profiles.rollout.phrases",),
    case_model=RolloutCase,
    card=RolloutCard,
    explore=exploration,
    needs_of=setup.needs_of,
    only_scripted=setup.only_scripted,
    probe_result=read_probe,
    smoke=smoke,
    capabilities=frozenset(TEXTS),
    mistakes=mistakes,
    misplaced=misplaced,
    part="rollout",
    width=width,
    record=recorder,
)
