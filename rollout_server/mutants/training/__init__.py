"""The mutants of the reference training server; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.training import (
    arithmetic,
    bad_input,
    both_dialects,
    checkpoint_defects,
    generated,
    logprob_defects,
    optimizer_defects,
    order,
    protobuf_defects,
    publication_defects,
    reported_defects,
    reported_state,
    rest_defects,
    sampling_defects,
    sharing_defects,
    signal_bad_input,
    signal_runs,
    signal_state,
    signal_training,
    tenants,
    tinker_surface,
    wide_defects,
)
from rollout_conformance.rollout_server.mutants.training.variants import VARIANTS

CATALOGUE = Catalogue(
    requirements="TRAINING",
    variable="TRAINING_MUTANT",
    app="rollout_conformance.rollout_server.training.app",
    dialects=("signal", "tinker-json", "tinker"),
    mutants=by_name(
        arithmetic.MUTANTS,
        bad_input.MUTANTS,
        both_dialects.MUTANTS,
        checkpoint_defects.MUTANTS,
        generated.MUTANTS,
        logprob_defects.MUTANTS,
        optimizer_defects.MUTANTS,
        order.MUTANTS,
        protobuf_defects.MUTANTS,
        publication_defects.MUTANTS,
        reported_defects.MUTANTS,
        rest_defects.MUTANTS,
        sampling_defects.MUTANTS,
        sharing_defects.MUTANTS,
        signal_bad_input.MUTANTS,
        signal_runs.MUTANTS,
        signal_state.MUTANTS,
        signal_training.MUTANTS,
        tenants.MUTANTS,
        tinker_surface.MUTANTS,
        wide_defects.MUTANTS,
        reported_state.MUTANTS,
    ),
    variants=VARIANTS,
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
