"""Mutants: the reference trainer with exactly one planted defect each, so that the suite can be seen to find it.

`TRAINER_MUTANT=name uvicorn rollout_server.mutants.trainer:create_app --factory` serves one. `python -m
rollout_server.mutants.trainer` lists them, a JSON object a line. Never deploy one.
"""

import os

from starlette.applications import Starlette

from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.mutants.trainer import answering, keeping, starting

ALL: dict[str, Mutant] = {m.name: m for module in (answering, keeping, starting) for m in module.MUTANTS}


def create_app() -> Starlette:
    """The reference trainer with the defect that TRAINER_MUTANT names. Raises `LookupError` for a name that is none."""
    name = os.environ.get("TRAINER_MUTANT", "")
    if name not in ALL:
        raise LookupError(f"TRAINER_MUTANT={name!r} names no mutant; there are {', '.join(ALL)}")
    from rollout_conformance.rollout_server.trainer import app

    ALL[name].patch()
    return app.create_app()
