"""A tool that takes its time, to show what happens to one that takes too much. Off unless it is named in
ROLLOUT_TOOLS."""

import asyncio

from rollout_server.tools import Tool, ToolError


async def wait(seconds: float) -> str:
    if seconds < 0:
        raise ToolError("Cannot wait for less than no time")
    await asyncio.sleep(seconds)
    return f"waited {seconds:g} s"


TOOLS = (
    Tool("wait", "Wait before answering", {"seconds": {"type": "number", "description": "How long to wait"}}, wait),
)
