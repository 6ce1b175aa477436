"""The profile `router`: a router in front of engines is judged, the suite is its client and plays the engines behind it.

What the suite does: actions.py the engines' script and plain requests · concurrency.py many at once, and a client that does not read ·
affinity.py what begins alike, and engines that go and come · api_keys.py keys and signatures.
What a case may demand: expectations.py passing and failing · headers.py headers, ids and bodies · load_balancing.py who gets what · limits.py who is
sent away · metrics.py numbers. invariants.py is what holds for every trace.
vocabulary.py the YAML keys · capabilities.py why a case is skipped · fuzz_adapter.py what a generated request needs ·
profile.py the profile itself
"""
