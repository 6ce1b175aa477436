"""The mutants of the reference router; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.router import (
    admin,
    audit,
    auth,
    bodies,
    call_deltas,
    concurrency,
    errors,
    failover,
    forwarding,
    headers,
    http_surface,
    idempotency,
    javascript,
    metrics,
    rate_limits,
    reported_defects,
    routing,
    stream_members,
    streams,
    validation,
)

CATALOGUE = Catalogue(
    requirements="ROUTER",
    variable="ROUTER_MUTANT",
    app="rollout_conformance.rollout_server.router.app",
    dialects=("openai",),
    mutants=by_name(
        admin.MUTANTS,
        audit.MUTANTS,
        auth.MUTANTS,
        bodies.MUTANTS,
        call_deltas.MUTANTS,
        concurrency.MUTANTS,
        errors.MUTANTS,
        failover.MUTANTS,
        forwarding.MUTANTS,
        headers.MUTANTS,
        http_surface.MUTANTS,
        idempotency.MUTANTS,
        javascript.MUTANTS,
        metrics.MUTANTS,
        rate_limits.MUTANTS,
        routing.MUTANTS,
        stream_members.MUTANTS,
        streams.MUTANTS,
        validation.MUTANTS,
        reported_defects.MUTANTS,
    ),
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
