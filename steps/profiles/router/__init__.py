"""The profile `router`: a router in front of engines is judged, the suite is its client and plays the engines behind it.

What the suite does: actions.py the engines' script and plain requests · crowds.py many at once, and a client that does not read ·
conversations.py what begins alike, and engines that go and come · operators.py keys and signatures.
What a case may demand: expectations.py passing and failing · passing.py headers, ids and bodies · spreading.py who gets what · limits.py who is
sent away · operating.py numbers. checks.py is what holds for every trace.
vocabulary.py the YAML keys · lacks.py why a case is skipped · fuzzed.py what a generated request needs ·
profile.py the profile itself
"""
