"""The profile `training`: a training API is judged; the suite is its client, and computes what it returns."""

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import Mutants, Reference
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.cause import LOOP, cause
from rollout_conformance.steps.profiles.training.context import TrainingState
from rollout_conformance.steps.profiles.training.greeting import greeting, probe_result
from rollout_conformance.steps.profiles.training.invariants import aligned, metric_names, no_leaks
from rollout_conformance.steps.profiles.training.peers import CAPABILITIES, CONTRACT, peers
from rollout_conformance.steps.profiles.training.view import TrainingView, read
from rollout_conformance.steps.profiles.training.vocabulary import VOCABULARY

PROFILE: Profile[TrainingState, TrainingView] = Profile(
    name="training",
    dialects=("signal", "tinker-json"),
    catalogue=requirements.load(CONTRACT.requirements),
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.training.app:create_app",
        ROOT / "scenarios" / "cards" / "training.yaml",
        Mutants(
            "rollout_conformance.rollout_server.mutants.training",
            "TRAINING_MUTANT",
            side_effects=frozenset({LOOP}),
        ),
        served_by="rollout_conformance.steps.profiles.training.serve",
    ),
    peers=peers,
    read=read,
    invariants=(aligned, metric_names, no_leaks),
    cause=cause,
    ends_by_itself=LOOP,
    at_any_level=frozenset({"TRAINING-202"}),
    greeting=greeting,
    probe_result=probe_result,
    vocabulary=VOCABULARY,
    capabilities=frozenset(CAPABILITIES),
    card=TrainingCard,
    closing="Not fit to train with",
    unexplored="explore walks over the order of events of a rollout; the cases (`run`) judge the order of calls of a training API",
)
