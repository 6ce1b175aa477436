"""Deprecated alias of `rollout_server/inference`, kept for one release."""
