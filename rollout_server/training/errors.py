"""Errors of the user's making, each with a sentence of its own. None repeats what another tenant has.

A `UserError` is a response where the request is refused, and a failed future where the failure shows only when its turn has come. Either way
nothing has changed.
"""

from typing import Any

USER, SERVER = "user", "server"


class UserError(Exception):
    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def envelope(message: str, category: str = USER, **more: Any) -> dict[str, Any]:
    """The body of an error response, and of a failed future."""
    return {"error": message, "category": category, **more}


def invalid(message: str) -> UserError:
    return UserError(400, message)


def not_implemented(what: str) -> UserError:
    """An option that is valid elsewhere. It is refused: ignoring it would train something else."""
    return UserError(400, f"{what} is not implemented by this server")


def unauthorized() -> UserError:
    return UserError(401, "Invalid or missing API key")


def no_such(what: str) -> UserError:
    """Also for what another tenant has: whether it exists is theirs to know."""
    return UserError(404, f"There is no such {what}")


def conflict(message: str) -> UserError:
    return UserError(409, message)


def gone(message: str) -> UserError:
    return UserError(410, message)


def limited(message: str) -> UserError:
    return UserError(429, message, {"Retry-After": "1"})
