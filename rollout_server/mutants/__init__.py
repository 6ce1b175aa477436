"""Mutants of the reference servers, by seam; see `framework.py`."""

import importlib
import os

from starlette.applications import Starlette

SERVERS = {
    "ROLLOUT_MUTANT": "rollout",
    "TRAINER_MUTANT": "trainer",
    "ENGINE_MUTANT": "inference",
    "ROUTER_MUTANT": "router",
    "TRAINING_MUTANT": "training",
    "WORKER_MUTANT": "worker",
}


def create_app() -> Starlette:
    """The mutant that one of the variables names. Raises `LookupError` when none does."""
    server = next((server for variable, server in SERVERS.items() if os.environ.get(variable)), "rollout")
    app: Starlette = importlib.import_module(f"rollout_conformance.rollout_server.mutants.{server}").create_app()
    return app
