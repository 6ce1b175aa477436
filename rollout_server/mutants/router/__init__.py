"""Mutants: the reference router with exactly one planted defect each, so that the suite can be seen to find it.

`ROUTER_MUTANT=name uvicorn rollout_server.mutants.router:create_app --factory` serves one. `python -m
rollout_server.mutants.router` lists them, a JSON object a line. Never deploy one.
"""

import os

from starlette.applications import Starlette

from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.mutants.router import (
    carrying,
    choosing,
    counting,
    crowding,
    describing,
    entering,
    passing,
    remembering,
    streaming,
    watching,
)

ALL: dict[str, Mutant] = {
    m.name: m
    for module in (
        passing,
        entering,
        counting,
        choosing,
        streaming,
        remembering,
        carrying,
        crowding,
        describing,
        watching,
    )
    for m in module.MUTANTS
}


def create_app() -> Starlette:
    """The reference router with the defect that ROUTER_MUTANT names. Raises `LookupError` for a name that is none."""
    name = os.environ.get("ROUTER_MUTANT", "")
    if name not in ALL:
        raise LookupError(f"ROUTER_MUTANT={name!r} names no mutant; there are {', '.join(ALL)}")
    from rollout_conformance.rollout_server.router import app

    ALL[name].patch()
    return app.create_app()
