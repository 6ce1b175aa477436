"""The mutants of the reference rollout server; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.dialects import BOTH
from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.rollout import (
    auth,
    concurrency,
    delivery,
    engine_replies,
    generation,
    http_surface,
    idempotency,
    javascript,
    leased,
    mask,
    replies,
    reported_defects,
    results,
    retries,
    routed,
    siblings,
    termination,
    tools,
    validation,
)
from rollout_conformance.rollout_server.mutants.rollout.variants import VARIANTS

CATALOGUE = Catalogue(
    requirements="ROLLOUT",
    variable="ROLLOUT_MUTANT",
    app="rollout_conformance.rollout_server.rollout.app",
    dialects=BOTH,
    mutants=by_name(
        auth.MUTANTS,
        concurrency.MUTANTS,
        delivery.MUTANTS,
        engine_replies.MUTANTS,
        generation.MUTANTS,
        http_surface.MUTANTS,
        idempotency.MUTANTS,
        javascript.MUTANTS,
        mask.MUTANTS,
        replies.MUTANTS,
        results.MUTANTS,
        retries.MUTANTS,
        routed.MUTANTS,
        leased.MUTANTS,
        siblings.MUTANTS,
        termination.MUTANTS,
        tools.MUTANTS,
        validation.MUTANTS,
        reported_defects.MUTANTS,
    ),
    variants=VARIANTS,
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
