"""Mutants: the reference server with exactly one planted defect each, so that the suite can be seen to find it.

`ROLLOUT_MUTANT=name uvicorn rollout_server.mutants.rollout:create_app --factory` serves one. `python -m
rollout_conformance.rollout_server.mutants.rollout` lists them, a JSON object a line. Never deploy one.
"""

import os

from starlette.applications import Starlette

from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.mutants.rollout import (
    asking,
    channel,
    ending,
    lasting,
    orders,
    routed,
    starting,
)
from rollout_conformance.rollout_server.mutants.rollout.variants import VARIANTS

ALL: dict[str, Mutant] = {
    m.name: m for module in (starting, asking, channel, lasting, ending, routed, orders) for m in module.MUTANTS
}


def create_app() -> Starlette:
    """The reference server with the defect, or the freedom, that ROLLOUT_MUTANT names. Raises `LookupError` for a name that is none."""
    name = os.environ.get("ROLLOUT_MUTANT", "")
    if name not in ALL and name not in VARIANTS:
        raise LookupError(f"ROLLOUT_MUTANT={name!r} names no mutant; there are {', '.join((*ALL, *VARIANTS))}")
    from rollout_conformance.rollout_server.rollout import app

    (ALL[name].patch if name in ALL else VARIANTS[name])()
    return app.create_app()
