"""`python -m rollout_conformance.rollout_server.training`: the reference training server, configured by TRAINING_ variables."""

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.training.app import create_app
from rollout_conformance.rollout_server.training.settings import load

if __name__ == "__main__":
    raise SystemExit(run(Server("training server", load, create_app)))
