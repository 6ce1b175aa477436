"""Deprecated alias of `rollout_server.router.app`, kept for one release."""

from rollout_conformance.rollout_server.router.app import create_app as create_app
