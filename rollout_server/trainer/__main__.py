"""`python -m rollout_conformance.rollout_server.trainer`: the reference trainer, configured by TRAINER_ variables."""

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.trainer.app import create_app
from rollout_conformance.rollout_server.trainer.settings import load

if __name__ == "__main__":
    raise SystemExit(run(Server("trainer", load, create_app)))
