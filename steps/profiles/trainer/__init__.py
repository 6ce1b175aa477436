"""The profile `trainer`: a trainer's endpoint is judged, the suite plays the rollout server.

state.py one rollout of a case · actions.py what the suite does · invariants.py what holds for every rollout · expectations.py what a case
may demand · vocabulary.py the YAML keys · profile.py the profile itself
"""
