"""Generated requests: schemathesis makes them from a contract, the scripted trainer stays in the loop, the invariants judge.

contract.py what is fuzzed · request_observer.py the trainer in the loop · checks.py what a response may not be · fuzz.py a whole run ·
hooks.py the same for the plain `schemathesis run`.
"""
