"""`python -m rollout_conformance.rollout_server` runs the reference rollout server."""

from rollout_conformance.rollout_server.rollout.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
