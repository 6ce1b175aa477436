"""`rollout_server.app:create_app`, the public name of the reference rollout server; see `rollout/app.py`."""

from rollout_conformance.rollout_server.rollout.app import create_app

__all__ = ["create_app"]
