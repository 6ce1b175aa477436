"""`rollout-conformance serve router`."""

from rollout_conformance.steps.profiles.serving import server_command

command = server_command(
    "router",
    "router",
    "The reference router; ROUTER_BACKENDS and ROUTER_KEYS name its backends and the keys of its clients.",
    port=9002,
    variable="ROUTER_PORT",
    shown="router",
    workers=True,
)
