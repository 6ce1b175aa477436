"""What can go wrong, by what a caller can do about it."""


class SignalError(Exception):
    """`status` is that of the response; None where there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NoConnection(SignalError):
    """No response came, in all tries. Whether the last one was carried out is not known."""


class AuthenticationError(SignalError):
    """401: the key is missing, unknown or revoked."""


class ForbiddenError(SignalError):
    """403"""


class NotFoundError(SignalError):
    """404: no such run or future, or it belongs to someone else."""


class ConflictError(SignalError):
    """409: the run has ended, or the request id belongs to another request."""


class InvalidRequestError(SignalError):
    """400, 413, 422 and other 4xx: the request has to be changed."""


class RateLimitError(SignalError):
    """429, in all tries."""


class ServerError(SignalError):
    """5xx, or a response that cannot be read."""


class CallFailed(SignalError):
    """A future that has failed or was cancelled."""


KINDS: dict[int, type[SignalError]] = {
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


def of_status(status: int, message: str) -> SignalError:
    """The error of a response without success."""
    kind = KINDS.get(status, InvalidRequestError if 400 <= status < 500 else ServerError)
    return kind(f"{status}: {message}", status)
