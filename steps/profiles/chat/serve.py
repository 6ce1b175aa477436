"""`rollout-conformance serve chat`."""

from rollout_conformance.steps.profiles.serving import server_command

command = server_command(
    "chat",
    "inference",
    "The reference inference server with a deterministic policy, configured by ENGINE_ variables.",
    port=9006,
    variable="ENGINE_PORT",
    shown="inference server",
    more="  its model: /v1/models",
)
