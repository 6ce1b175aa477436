"""Why nothing can be judged: how a target answered the plainest request there is, in one sentence that ends in what to do. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings, text
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.starting import is_starting
from rollout_conformance.steps.engine.trace import GIVEN_UP, Exchange, Response, parse

SHOWN = 200  # characters of a body that a message shows
READ_BYTES = 4096  # of a body that are looked at for them
LARGEST = 1 << 20  # bytes of a refusal in which a member is looked for


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a greeting showed of a target.

    `obstacle` says why nothing can be judged, if so; `remark` what a user should know although the run continues. `retry_s` is
    how long to wait before asking again, where the target says that it is busy. `starting`: it may have no obstacle later; `broken`: it
    failed by itself, so that its log may say why.
    """

    obstacle: str = ""
    remark: str = ""
    retry_s: float | None = None
    starting: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A plain request as the messages speak of it: `name` (`start`, `greeting`), its `request` line, whether a `key` was sent
    and where it came from, and `mends` for members that a refusal may name."""

    name: str
    request: str
    key: str = ""
    mends: Mapping[str, str] | None = None


def key_source(key: str | None, on_card: str | None) -> str:
    """Where the key of a run came from, empty where there is none."""
    if not key:
        return ""
    return "the key on the card" if key == on_card else "the key given with --target-key"


def result_of(plain: PlainRequest, exchange: Exchange, models: int | None = None) -> ProbeResult:
    """What the answer to a plain request means; a 2xx is no obstacle. `models` is how many the target lists, None where it has no list."""
    response = exchange.response
    if response is None:
        lost = f"every {plain.name} ({plain.request}) {_lost(exchange)}"
        return ProbeResult(lost, starting=exchange.fault != GIVEN_UP, broken=True)
    if 200 <= response.status < 300:
        return ProbeResult()
    what = f"every {plain.name} is answered {answered(response)}"
    return ProbeResult(
        f"{what}: {_mend(plain, response)}",
        retry_s=retry_after(response),
        starting=is_starting(response.status, models),
        broken=response.status >= 500,
    )


def retry_after(response: Response) -> float | None:
    """The seconds after which a busy target wants to be asked again; None when it does not say that it is busy."""
    value = response.header("retry-after")
    if response.status != 429 and not (response.status == 503 and value is not None):
        return None
    try:
        seconds = float(value or 0.2)
    except ValueError:
        return 0.2
    return min(max(seconds, 0.05), 5.0) if math.isfinite(seconds) else 0.2


def excerpt(body: bytes, characters: int = SHOWN) -> str:
    """The beginning of a body on one line, without secrets and control characters."""
    shown = redacted(body[:READ_BYTES].decode("utf-8", "replace"))
    line = " ".join("".join(c if c.isprintable() else " " for c in shown).split())
    return line[:characters] + ("..." if len(line) > characters or len(body) > READ_BYTES else "")


def _lost(exchange: Exchange) -> str:
    if exchange.fault == GIVEN_UP:
        waited_s = (exchange.ended or exchange.began) - exchange.began
        return f"is without an answer after {waited_s:.0f} s; a target that needs longer is waited for with --patience SECONDS"
    return f"is lost: {excerpt((exchange.fault or 'no answer').encode())}"


def answered(response: Response) -> str:
    """A status with what belongs to it, and the beginning of the body."""
    words = [str(response.status)]
    if 300 <= response.status < 400:
        words.append(f"with Location {excerpt((response.header('location') or 'absent').encode())}")
    if (seconds := response.header("retry-after")) is not None:
        words.append(f"with Retry-After {excerpt(seconds.encode(), 20)}")
    words.append(excerpt(response.body) or "without a body")
    return " ".join(words)


def _mend(plain: PlainRequest, response: Response) -> str:
    status = response.status
    if status in (401, 403):
        return f"{plain.key} is refused" if plain.key else "give the key with --target-key"
    if 300 <= status < 400:
        return "the suite follows no redirect of a POST; give the address that it leads to with --target"
    if status in (404, 405, 501):
        return f"there is no {plain.request} here. Is --target the right address, with its prefix, and are --profile and --dialect the right ones?"
    if retry_after(response) is not None:
        return "the target is busy or not ready; run again when it is"
    if status >= 500:
        return "the log of the target says why; run again when one succeeds"
    return _refused(plain, response)


def _refused(plain: PlainRequest, response: Response) -> str:
    named = _member(response.body)
    if not named:
        return f"it refuses a plain {plain.name} ({plain.request}). Is --dialect the right one?"
    mend = (plain.mends or {}).get(named, f"is this the {plain.name} of the dialect that it speaks (--dialect)?")
    return f"it names the member `{named}`; {mend}"


def _member(body: bytes) -> str:
    """The member of the request that a refusal names: FastAPI's `detail[].loc`, OpenAI's `error.param`."""
    if len(body) > LARGEST:
        return ""
    said = mapping(parse(body))
    param = text(mapping(said.get("error")).get("param"))
    places = [[one for one in listed(item.get("loc")) if isinstance(one, str)] for item in mappings(said.get("detail"))]
    found = param or next((place[-1] for place in places if place), "")
    return excerpt(found.encode("utf-8", "replace"), 60) if found not in ("body", "header", "query") else ""
