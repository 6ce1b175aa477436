"""The reference rollout server: runs an agent loop against a trainer's chat API and returns the conversation."""
