"""`python -m rollout_conformance.rollout_server.trainer --port N`: serve until told to stop. Everything else is configured by TRAINER_ variables."""

import argparse
import sys

import uvicorn

from rollout_conformance.rollout_server.trainer.app import create_app
from rollout_conformance.rollout_server.trainer.settings import SettingsError, load


def main() -> int:
    options = arguments()
    try:
        settings = load(**{name: value for name, value in vars(options).items() if value is not None})
        app = create_app(settings=settings)
    except SettingsError as error:
        sys.stderr.write(f"trainer: {error}\n")
        return 2
    # Rollout servers keep their connections between two calls for longer than the five seconds that are the default.
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rollout_conformance.rollout_server.trainer", description="The reference trainer."
    )
    parser.add_argument("--host", help="default: TRAINER_HOST, else 127.0.0.1")
    parser.add_argument("--port", type=int, help="0 for any; default: TRAINER_PORT, else 9001")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
