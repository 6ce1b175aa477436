"""`app:rollout_server.worker.stub_app:create_app`: the worker with the stub, whatever WORKER_STUB says."""

from starlette.applications import Starlette

from rollout_conformance.rollout_server.worker.app import create_app as create_worker
from rollout_conformance.rollout_server.worker.settings import load


def create_app() -> Starlette:
    return create_worker(settings=load(stub=True))
