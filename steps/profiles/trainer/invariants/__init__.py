"""What holds for every rollout that a trainer runs, whatever a case is about: pure functions of the trace.

generations.py their members, ends and tool calls · generation_tokens.py their token ids · records.py the trainer's own record ·
recorded_prompts.py the prompts in it ·
doubled_end.py the end of a turn between two turns · order.py the order of events · leaks.py internals and keys
"""
