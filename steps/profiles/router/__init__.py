"""The profile `router`: a router in front of engines is judged, the suite is its client and plays the engines behind it.

actions.py what the engines do, and what the client asks · expectations.py what a case may demand · fuzzed.py what a generated request
needs · vocabulary.py the YAML keys · profile.py the profile itself
"""
