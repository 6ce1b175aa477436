"""The reference chat router: one OpenAI-shaped address in front of several vLLM servers."""
