"""The profile `router`: a router in front of backends is judged; the suite is its client and plays the backends.

What the suite does: backends.py the script of the backends, which go down and come back · concurrency.py many requests at once, and a
client that does not read · affinity.py conversations · api_keys.py keys and signatures.
What a case may demand: backend_requests.py what reaches the backends · forwarding.py, streams.py, headers.py what is forwarded ·
load_balancing.py which backend receives what · limits.py which requests are rejected · metrics.py. invariants.py is what holds in every
case, response_fidelity.py one of these.
vocabulary.py the verbs · phrases.py the sentences that are more than a verb · fuzz_adapter.py generated requests · cause.py why a case
ended in another way than its script explains · profile.py the profile itself
"""
