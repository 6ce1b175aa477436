"""Mutants: the reference engine with exactly one planted defect each, so that the suite can be seen to find it.

`ENGINE_MUTANT=name uvicorn rollout_server.mutants.inference:create_app --factory` serves one. `python -m
rollout_server.mutants.inference` lists them, a JSON object a line. Never deploy one.
"""

import os

from starlette.applications import Starlette

from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.mutants.inference import (
    answering,
    describing,
    prompting,
    refusing,
    streaming,
    telling,
)

ALL: dict[str, Mutant] = {
    m.name: m for module in (answering, telling, prompting, streaming, refusing, describing) for m in module.MUTANTS
}


def create_app() -> Starlette:
    """The reference engine with the defect that ENGINE_MUTANT names. Raises `LookupError` for a name that is none."""
    name = os.environ.get("ENGINE_MUTANT", "")
    if name not in ALL:
        raise LookupError(f"ENGINE_MUTANT={name!r} names no mutant; there are {', '.join(ALL)}")
    from rollout_conformance.rollout_server.inference import app

    ALL[name].patch()
    return app.create_app()
