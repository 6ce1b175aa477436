"""The vocabulary that is the same for every profile whose client speaks HTTP: requests, their responses, and what may be demanded of these.

responses.py the responses of a case, by name or place · references.py members that mean them · requests.py, keys.py what is sent ·
expectations.py what a response must be · metrics.py pages of Prometheus metrics · waiting.py to wait for what no event shows
"""
