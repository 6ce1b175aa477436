"""The profile `worker`: an inference worker that streams tokens is judged; the suite is its client."""

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.worker.lifecycle import TABLES
from rollout_conformance.steps.engine.runner import EXCLUSIVE
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import Explore, Fuzz, Mutants, Reference
from rollout_conformance.steps.profiles.worker import fuzz_adapter
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.cause import cause
from rollout_conformance.steps.profiles.worker.context import WorkerState
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.greeting import greeting, probe_result
from rollout_conformance.steps.profiles.worker.invariants.alternatives import alternatives, requested_alternatives
from rollout_conformance.steps.profiles.worker.invariants.counts import counters
from rollout_conformance.steps.profiles.worker.invariants.event_order import event_order
from rollout_conformance.steps.profiles.worker.invariants.orcd_members import ends, orcd_members
from rollout_conformance.steps.profiles.worker.invariants.responses import accepted, no_leaks
from rollout_conformance.steps.profiles.worker.invariants.text import end_of_turn, readable, whole_text
from rollout_conformance.steps.profiles.worker.peers import CAPABILITIES, CONTRACT, peers
from rollout_conformance.steps.profiles.worker.view import WorkerView, read
from rollout_conformance.steps.profiles.worker.vocabulary import VOCABULARY

CARRIED_OUT = "WORKER-200"


def exploration() -> Explore:
    """Imported when it is asked for: it needs Hypothesis."""
    from rollout_conformance.steps.profiles.worker import exploration as module

    return module


PROFILE: Profile[WorkerState, WorkerView] = Profile(
    name="worker",
    dialects=tuple(DIALECTS),
    catalogue=requirements.load(CONTRACT.requirements),
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.worker.app:create_app",
        ROOT / "scenarios" / "cards" / "worker.yaml",
        Mutants(
            "rollout_conformance.rollout_server.mutants.worker",
            "WORKER_MUTANT",
            side_effects=frozenset({CARRIED_OUT}),
        ),
        served_by="rollout_conformance.steps.profiles.worker.serve",
    ),
    peers=peers,
    read=read,
    invariants=(
        accepted,
        event_order,
        readable,
        orcd_members,
        ends,
        counters,
        alternatives,
        requested_alternatives,
        whole_text,
        end_of_turn,
        no_leaks,
    ),
    cause=cause,
    ends_by_itself=CARRIED_OUT,
    at_any_level=frozenset({"WORKER-202"}),
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="WORKER-300",
        accepts="WORKER-301",
        rejects="WORKER-302",
        no_5xx="WORKER-303",
        no_internals="WORKER-203",
        no_secrets="WORKER-202",
        by_check={"unsupported_method": "WORKER-064"},
        gateway=False,
        left_out=fuzz_adapter.left_out,
    ),
    greeting=greeting,
    probe_result=probe_result,
    vocabulary=VOCABULARY,
    capabilities=frozenset(CAPABILITIES),
    card=WorkerCard,
    disturbs=lambda case: EXCLUSIVE in case.tags,
    closing="Not fit to generate rollouts",
    tables=TABLES,
    explore=exploration,
)
