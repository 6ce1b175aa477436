"""The contract of a trainer, the other end of the rollout protocol."""
