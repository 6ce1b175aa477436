"""The contract of a router with the OpenAI chat completions API, which forwards requests to backends."""
