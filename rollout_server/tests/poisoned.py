"""The reference inference server, whose process ends at requests that ban a token: `python poisoned.py PORT`."""

import os
import sys

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.inference.app import create_app

LAST = "IndexError: list index out of range, key sk-abcdefghijklmnop1234567890"


class Poisoned:
    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def watched() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            if b'"logit_bias"' in body and b"-100" in body:
                sys.stdout.write(f"{LAST}\n")
                sys.stdout.flush()
                os._exit(7)
            return message

        await self.inner(scope, watched, send)


if __name__ == "__main__":
    uvicorn.run(Poisoned(create_app()), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
