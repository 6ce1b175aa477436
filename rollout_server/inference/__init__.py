"""The reference inference server: an OpenAI-compatible chat API that behaves as vLLM does and needs no model."""
