"""The reference trainer: asks rollout servers for rollouts, answers their generation calls, and keeps every token."""
