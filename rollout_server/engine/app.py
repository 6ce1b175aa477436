"""Deprecated alias of `rollout_server.inference.app`, kept for one release."""

from rollout_conformance.rollout_server.inference.app import create_app as create_app
