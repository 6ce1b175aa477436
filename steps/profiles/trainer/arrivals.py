"""The first start requests of a trainer that starts rollouts by itself: which dialects it speaks, and what to do where none arrives."""

import asyncio

import click

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.peers.arriving_starts import ArrivingStarts

FURTHER_S = 1.5  # after the first start request: those of another dialect, and as many as the trainer has open at once


async def shown_dialects(starts: ArrivingStarts, url: str, wanted: tuple[str, ...], card: Card) -> tuple[str, ...]:
    """The wanted dialects that start requests arrive in. Raises `SuiteError` where there are none within the patience of the card."""
    click.echo(f"rollout server on {url}  waiting for start requests", err=True)
    try:
        async with asyncio.timeout(card.patience_s):
            await starts.arrived.wait()
        await asyncio.sleep(FURTHER_S)
    except TimeoutError:
        pass
    shown = tuple(dialect for dialect in wanted if dialect in starts.dialects or dialect in card.dialects)
    if not starts.dialects or not shown:
        raise SuiteError(f"{_seen(starts, card.patience_s)} {MEND.format(url=url)}")
    return shown


MEND = (
    "The card says `rollouts: started`: the trainer must send POST {url}/rollout (dialect sync) or POST {url}/v1/rollout/init (callback). "
    "Give its rollout server address with --listen HOST:PORT and wait longer with --patience SECONDS. If it has a control API "
    "(POST /rollouts), write `rollouts: control` on the card; if it accepts any new rollout_id, write `rollouts: open`."
)


def _seen(starts: ArrivingStarts, patience_s: float) -> str:
    if starts.dialects:
        return f"The start requests that arrived are of the dialect {', '.join(sorted(starts.dialects))}, which --dialect does not name."
    if starts.problems:
        return f"No start request could be accepted within {patience_s:g} s: {starts.problems[0]}."
    return f"No start request arrived within {patience_s:g} s."
