"""The reference router: one OpenAI-compatible API in front of several inference servers."""
