"""`python -m rollout_conformance.rollout_server.router --port N`: serve until told to stop. Everything else is configured by ROUTER_ variables."""

import argparse
import gc
import math
import sys

import uvicorn

from rollout_conformance.rollout_server.router.app import create_app
from rollout_conformance.rollout_server.router.settings import SettingsError, load


def main() -> int:
    options = arguments()
    try:
        settings = load(**{name: value for name, value in vars(options).items() if value is not None})
        app = create_app(settings=settings)
    except SettingsError as error:
        sys.stderr.write(f"router: {error}\n")
        return 2
    collect_rarely()
    # Clients keep their connections between two requests for longer than the five seconds that are the default.
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=math.ceil(settings.drain_s),
    )
    return 0


def collect_rarely() -> None:
    """What was made until now lives as long as the process, and requests leave few cycles behind: looking for them took an eighth of
    the time of each request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rollout_conformance.rollout_server.router", description="The reference chat router."
    )
    parser.add_argument("--host", help="default: ROUTER_HOST, else 127.0.0.1")
    parser.add_argument("--port", type=int, help="0 for any; default: ROUTER_PORT, else 9003")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
