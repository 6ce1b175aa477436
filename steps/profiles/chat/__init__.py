"""The profile `chat`: an engine behind the chat API of OpenAI is judged, the suite is its client.

replies.py what came back, streams put together · event_order.py their chunks in the order of the table · actions.py what the suite asks ·
invariants.py what holds for every reply · expectations.py what a case may demand · fuzz_adapter.py what a generated request needs · vocabulary.py
the YAML keys · profile.py the profile itself
"""
