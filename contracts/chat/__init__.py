"""The contract of an inference server with the OpenAI chat completions API."""
