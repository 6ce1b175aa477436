"""The command `rollout-conformance`. Signals are heeded before anything else: reading all of the suite takes a second or two."""

from steps.engine.stopping import ENDING, Interrupted, leave


def main() -> None:
    ENDING.listen()
    try:
        from steps.cli import main as command
    except Interrupted:
        leave(ENDING.reason.code or 2 if ENDING.reason else 2)
    command()
