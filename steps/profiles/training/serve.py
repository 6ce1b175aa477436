"""`rollout-conformance serve training`."""

from rollout_conformance.steps.profiles.serving import server_command

command = server_command(
    "training",
    "training",
    "The reference training API, in the dialects `signal` and `tinker-json`.",
    port=9004,
    variable="TRAINING_PORT",
    shown="training",
)
