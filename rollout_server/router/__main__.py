"""`python -m rollout_conformance.rollout_server.router`: the reference router, configured by ROUTER_ variables."""

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.router.app import create_app
from rollout_conformance.rollout_server.router.settings import load

if __name__ == "__main__":
    raise SystemExit(run(Server("router", load, create_app, shutdown_s=lambda settings: settings.drain_s)))
