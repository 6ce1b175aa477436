"""The mutants of the reference inference server; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.inference import (
    chunks,
    deltas,
    http_surface,
    javascript,
    prompt,
    replies,
    reported_defects,
    sampling,
    streams,
    tokens,
    tools,
)

CATALOGUE = Catalogue(
    requirements="CHAT",
    variable="ENGINE_MUTANT",
    app="rollout_conformance.rollout_server.inference.app",
    dialects=("openai",),
    mutants=by_name(
        chunks.MUTANTS,
        deltas.MUTANTS,
        http_surface.MUTANTS,
        javascript.MUTANTS,
        prompt.MUTANTS,
        replies.MUTANTS,
        sampling.MUTANTS,
        streams.MUTANTS,
        tokens.MUTANTS,
        tools.MUTANTS,
        reported_defects.MUTANTS,
    ),
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
