"""`python -m rollout_server`: serve until told to stop. Everything is configured by ROLLOUT_ variables."""

import sys

import uvicorn

from rollout_conformance.rollout_server.rollout.app import create_app
from rollout_conformance.rollout_server.rollout.settings import SettingsError, load


def main() -> int:
    try:
        settings = load()
        app = create_app(settings=settings)
    except SettingsError as error:
        sys.stderr.write(f"rollout server: {error}\n")
        return 2
    # A trainer keeps its connections between two rollouts for longer than the five seconds that are the default.
    uvicorn.run(
        app,
        host=settings.server_host,
        port=settings.server_port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
