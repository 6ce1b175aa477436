"""What a case may demand of completions: statuses.py whether there is one · text.py its text · sampling.py how it was sampled · tools.py its
tool calls · usage.py the tokens that it counts · samples.py what two completions are compared by.

Where a check is `ignored`, the request was accepted and one of its parameters had no effect: a breach of its own kind, because no client
notices it.
"""
