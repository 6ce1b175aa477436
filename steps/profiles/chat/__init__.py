"""The profile `chat`: an inference server behind the chat API of OpenAI is judged, the suite is its client.

requests.py, phrases.py, phrase_modifiers.py what is sent · responses.py, assembled_stream.py what is returned · view.py a case as the checks
read it · event_order.py the chunks of a stream in the order of the table · invariants/ what holds for every response · expectations/ what a
case may demand · cause.py why a case cannot be judged as it is written · peers.py, capabilities.py, greeting.py what is learnt of a server ·
fuzz_adapter.py generated requests · vocabulary.py the verbs · profile.py the profile itself
"""
