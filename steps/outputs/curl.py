"""An exchange as the command that sends its request again."""

import shlex
from urllib.parse import urlsplit

from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.trace import Exchange

UNKNOWN = {True: "http://target.invalid", False: "http://peer.invalid"}  # RFC 2606: no host has such a name
OF_THE_CONNECTION = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"}


def url_of(exchange: Exchange, target: str) -> str:
    """The URL of a request. The port of a target that the suite starts is known only while it runs: its host is a name that does not exist."""
    known = exchange.to_target and urlsplit(target).scheme in ("http", "https")
    return (target.rstrip("/") if known else UNKNOWN[exchange.to_target]) + exchange.request.path


def curl(exchange: Exchange, target: str) -> str:
    """One line for a POSIX shell. Keys are masked: `***` is to be replaced. A body that is no text is left out, which is said."""
    asked = exchange.request
    words = ["curl", "-sS", "-i", "-X", asked.method, url_of(exchange, target)]
    for name, value in asked.headers:
        if name not in OF_THE_CONNECTION:
            words += ["-H", f"{name}: {value}"]
    remark = ""
    if asked.body:
        try:
            words += ["--data-binary", asked.body.decode()]
        except UnicodeDecodeError:
            remark = f"  # and a body of {len(asked.body)} bytes, which is no text"
    if words[5].startswith(UNKNOWN[True]):
        remark += "  # target.invalid: put the address of your server here; the suite started this one itself, for this run only"
    return redacted(shlex.join(words)) + remark
