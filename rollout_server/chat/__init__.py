"""Deprecated alias of `rollout_server/router`, kept for one release."""
