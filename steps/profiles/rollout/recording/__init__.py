"""A rollout between a real trainer and a real rollout server, recorded as a scenario."""
