"""The mutants of the reference worker; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.worker import (
    events,
    every_dialect,
    faults,
    ignored,
    jobs,
    native,
    native_requests,
    reported_defects,
    requested,
    sampling,
    scores,
    several_dialects,
    slots,
    surface,
    text,
    validation,
)
from rollout_conformance.rollout_server.mutants.worker.variants import VARIANTS

CATALOGUE = Catalogue(
    requirements="WORKER",
    variable="WORKER_MUTANT",
    app="rollout_conformance.rollout_server.worker.app",
    dialects=("orcd", "vllm-generate", "sglang", "tgi", "llamacpp"),
    mutants=by_name(
        events.MUTANTS,
        text.MUTANTS,
        sampling.MUTANTS,
        validation.MUTANTS,
        jobs.MUTANTS,
        slots.MUTANTS,
        faults.MUTANTS,
        surface.MUTANTS,
        native.MUTANTS,
        native_requests.MUTANTS,
        every_dialect.MUTANTS,
        several_dialects.MUTANTS,
        scores.MUTANTS,
        requested.MUTANTS,
        ignored.MUTANTS,
        reported_defects.MUTANTS,
    ),
    variants=VARIANTS,
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
