"""`python -m rollout_conformance.rollout_server`: the reference rollout server, configured by ROLLOUT_ variables."""

from functools import partial

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.rollout import in_group
from rollout_conformance.rollout_server.rollout.app import create_app
from rollout_conformance.rollout_server.rollout.settings import load

# Open requests have no deadline of uvicorn: the service ends them itself (see service.stop).
SERVER = Server(
    "rollout server",
    load,
    create_app,
    "server_host",
    "server_port",
    lambda settings: None,
    partial(in_group.create, create_app),
)

if __name__ == "__main__":
    raise SystemExit(run(SERVER))
