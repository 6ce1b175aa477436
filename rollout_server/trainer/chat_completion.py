"""The chat completion that answers a generation request."""

import time
from typing import Any

from rollout_conformance.rollout_server.trainer.backend import Generation, digest
from rollout_conformance.rollout_server.trainer.session import Session


def body(session: Session, made: Generation, model: str) -> dict[str, Any]:
    """OpenAI's `chat.completion`; the sync dialect adds the tokens."""
    completion = {
        "id": f"chatcmpl-{digest(session.rollout_id)}-{session.turns + 1}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": made.message, "finish_reason": made.finish_reason}],
        "usage": usage(len(made.prompt_token_ids), len(made.token_ids)),
    }
    return completion | tokens(made) if session.dialect == "sync" else completion


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def tokens(made: Generation) -> dict[str, Any]:
    return {
        "prompt_token_ids": list(made.prompt_token_ids),
        "token_ids": list(made.token_ids),
        "logprobs": list(made.logprobs),
    }
