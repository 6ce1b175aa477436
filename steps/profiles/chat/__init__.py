"""The profile `chat`: an engine behind the chat API of OpenAI is judged, the suite is its client.

replies.py what came back, streams put together · order.py their chunks in the order of the table · actions.py what the suite asks ·
checks.py what holds for every reply · expectations.py what a case may demand · fuzzed.py what a generated request needs · vocabulary.py
the YAML keys · profile.py the profile itself
"""
