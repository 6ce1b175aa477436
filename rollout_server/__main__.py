"""`python -m rollout_conformance.rollout_server` runs the reference rollout server."""

from rollout_conformance.rollout_server.common.command_line import run
from rollout_conformance.rollout_server.rollout.__main__ import SERVER

if __name__ == "__main__":
    raise SystemExit(run(SERVER))
