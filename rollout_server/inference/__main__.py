"""`python -m rollout_conformance.rollout_server.inference`: the reference inference server, configured by ENGINE_ variables."""

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.inference.app import create_app
from rollout_conformance.rollout_server.inference.settings import load

if __name__ == "__main__":
    raise SystemExit(run(Server("inference server", load, create_app)))
