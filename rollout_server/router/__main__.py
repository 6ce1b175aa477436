"""`python -m rollout_conformance.rollout_server.router`: the reference router, configured by ROUTER_ variables."""

from functools import partial

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.router import in_group
from rollout_conformance.rollout_server.router.app import create_app
from rollout_conformance.rollout_server.router.settings import load

SERVER = Server(
    "router",
    load,
    create_app,
    shutdown_s=lambda settings: settings.drain_s,
    in_group=partial(in_group.create, create_app),
    check_group=in_group.check,
)

if __name__ == "__main__":
    raise SystemExit(run(SERVER))
