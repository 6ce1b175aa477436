"""The contract of an inference worker that streams tokens."""
