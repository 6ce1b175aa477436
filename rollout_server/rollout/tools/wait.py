"""A tool that waits, to test the timeout of tools. Off unless ROLLOUT_TOOLS names it."""

import asyncio

from rollout_conformance.rollout_server.rollout.tools import Tool, ToolError


async def wait(seconds: float) -> str:
    if seconds < 0:
        raise ToolError("The number of seconds must not be negative")
    await asyncio.sleep(seconds)
    return f"waited {seconds:g} s"


TOOLS = (
    Tool("wait", "Wait before answering", {"seconds": {"type": "number", "description": "How long to wait"}}, wait),
)
