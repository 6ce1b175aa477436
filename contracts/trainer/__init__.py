"""What is true of a trainer: the other end of the rollout protocol."""
