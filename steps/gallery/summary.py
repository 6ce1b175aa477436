"""The words of the gallery: one block a target on the terminal, one row a target in Markdown."""

from collections.abc import Iterable, Iterator

from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.gallery.entry import Entry
from rollout_conformance.steps.gallery.judging import LOG, Judged


def lines(judged: Judged) -> Iterator[str]:
    """What differs from what is known, and what to do about it."""
    yield f"{judged.entry.name}: {_counts(judged)}, {judged.seconds:.0f} s: {'as expected' if judged.as_expected else 'NOT AS EXPECTED'}"
    for requirement in judged.new:
        yield (
            f"  new   {requirement}: read its finding (rollout-conformance report). If it is true, add it to target.yaml with the reason; "
            "if not, the suite is wrong."
        )
    for known in judged.gone:
        yield f"  gone  {known.requirement}: no longer found. It was: {known.reason}"
    for known in judged.unjudged:
        yield f"  open  {known.requirement}: was not judged, so it may be broken as before: {known.reason}"
    if judged.errors:
        yield f"  open  {plural(judged.errors, 'case')} could not be judged; {LOG} in the environment says why"


def _counts(judged: Judged) -> str:
    should = len(judged.broken) - len(judged.musts)
    return f"{len(judged.kept)} requirements kept, {len(judged.musts)} MUST and {should} SHOULD or MAY broken"


def table(all_judged: Iterable[Judged]) -> Iterator[str]:
    """A Markdown table: system, version, judged, broken."""
    yield "| system | version | profile | requirements kept | MUST broken | SHOULD broken | seconds |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for judged in all_judged:
        yield _row(judged)


def _row(judged: Judged) -> str:
    about = judged.entry.description
    system = f"[{about.system}](../scenarios/targets/{judged.entry.name}/target.yaml)" + (
        f", {about.setup}" if about.setup else ""
    )
    profile = f"{about.profile}/{about.dialect}" if about.dialect else about.profile
    should = len(judged.broken) - len(judged.musts)
    return f"| {system} | {judged.entry.version} | {profile} | {len(judged.kept)} | {len(judged.musts)} | {should} | {judged.seconds:.0f} |"


def listing(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        about = entry.description
        yield f"{entry.name:<24} {about.profile:<8} {about.install.first}  {about.system}{', ' + about.setup if about.setup else ''}"
