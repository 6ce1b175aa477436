"""The profile `training`: a training API is judged; the suite is its client, and computes what it returns."""

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.training.lifecycle import TABLES
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import Explore, Fuzz, Mutants, Reference
from rollout_conformance.steps.profiles.training import fuzz_adapter
from rollout_conformance.steps.profiles.training.arrival import too_far_apart
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.cause import cause
from rollout_conformance.steps.profiles.training.context import TrainingState
from rollout_conformance.steps.profiles.training.contract_values import CAPABILITIES, CONTRACT
from rollout_conformance.steps.profiles.training.expectations import LOOP
from rollout_conformance.steps.profiles.training.greeting import greeting, probe_result
from rollout_conformance.steps.profiles.training.invariants import (
    aligned,
    complete,
    in_protobuf,
    metric_names,
    no_leaks,
    paths,
)
from rollout_conformance.steps.profiles.training.mistakes import mistakes
from rollout_conformance.steps.profiles.training.peers import peers
from rollout_conformance.steps.profiles.training.view import TrainingView, read
from rollout_conformance.steps.profiles.training.vocabulary import VOCABULARY


def explored() -> Explore:
    from rollout_conformance.steps.profiles.training import exploration  # Hypothesis takes long to load

    return exploration


PROFILE: Profile[TrainingState, TrainingView] = Profile(
    name="training",
    dialects=("signal", "tinker-json", "tinker"),
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
    invariants=(aligned, complete, in_protobuf, metric_names, no_leaks, paths),
    cause=cause,
    mistakes=mistakes,
    inconclusive_reason=too_far_apart,
    ends_by_itself=LOOP,
    at_any_level=frozenset({"TRAINING-202"}),
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="TRAINING-300",
        accepts="TRAINING-301",
        rejects="TRAINING-302",
        no_5xx="TRAINING-303",
        no_internals="TRAINING-132",
        no_secrets="TRAINING-202",
        by_check={"ignored_auth": "TRAINING-104", "unsupported_method": "TRAINING-302"},
        gateway=False,
        plain=False,  # a generated request is about a model that the suite creates, with a key that the card has
        left_out=fuzz_adapter.left_out,
    ),
    greeting=greeting,
    probe_result=probe_result,
    vocabulary=VOCABULARY,
    capabilities=frozenset(CAPABILITIES),
    card=TrainingCard,
    closing="Not fit to train with",
    tables=TABLES,
    explore=explored,
)
