"""The profile `trainer`: a trainer's endpoint is judged, the suite plays the rollout server.

state.py one rollout of a case · actions.py what the suite does · wrong_requests.py requests with one thing wrong · invariants.py what
holds for every rollout · expectations.py what a case may demand · vocabulary.py all verbs · profile.py the profile itself
"""
