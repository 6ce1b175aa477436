"""What holds for every response, whatever was requested: pure functions over the responses of a case.

completions.py their members, usage and ends · tokens.py token ids and logprobs, without_ids.py where there are no ids · prompts.py prompts ·
streams.py streams · errors.py errors ·
end_of_turn.py the text of the end-of-turn token
"""
