"""The reference inference engine: an OpenAI-compatible chat server that behaves as vLLM does and needs no model."""
