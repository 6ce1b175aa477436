"""Invariants: checks that hold for every rollout of a run, whatever the case is about."""
