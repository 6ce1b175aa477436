"""The reference trainer: starts rollouts at rollout servers, answers their generation requests, and keeps every token."""
