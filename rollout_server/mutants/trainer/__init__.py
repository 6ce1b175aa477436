"""The mutants of the reference trainer; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.dialects import BOTH
from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.trainer import (
    auth,
    branches,
    javascript,
    limits,
    mask,
    prompts,
    replies,
    results,
    sessions,
    starting,
    tokens,
    trajectory,
    validation,
)

CATALOGUE = Catalogue(
    requirements="TRAINER",
    variable="TRAINER_MUTANT",
    app="rollout_conformance.rollout_server.trainer.app",
    dialects=BOTH,
    mutants=by_name(
        auth.MUTANTS,
        branches.MUTANTS,
        javascript.MUTANTS,
        limits.MUTANTS,
        mask.MUTANTS,
        prompts.MUTANTS,
        replies.MUTANTS,
        results.MUTANTS,
        sessions.MUTANTS,
        starting.MUTANTS,
        tokens.MUTANTS,
        trajectory.MUTANTS,
        validation.MUTANTS,
    ),
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
