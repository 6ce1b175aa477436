"""`--watch`: the same command again, in a process of its own, whenever a file that it reads was changed."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from rollout_conformance.steps.case_files import ENDINGS
from rollout_conformance.steps.commands.exit_code import OK

F = TypeVar("F", bound=Callable[..., None])
OPTION = "--watch"
# Messages of the command begin with its name.
ENTRY = "import sys; sys.argv[0] = 'rollout-conformance'; from rollout_conformance.steps.entry import main; main()"
LOOK_MS = 200  # between two looks at what was changed
SETTLED_MS = 200  # an editor that saves writes more than once

watch_option: Callable[[F], F] = click.option(
    OPTION, is_flag=True, help="Do it again whenever one of the files is changed, until Ctrl-C."
)


def repeat(paths: Sequence[Path], others: Iterable[Path | None] = ()) -> int:
    """Run this command line without `--watch`, now and after each change of these files and folders, and of the other files."""
    from watchfiles import watch

    files = {one.resolve() for one in (*paths, *others) if one is not None}
    folders = {one for one in files if one.is_dir()}
    # A file is watched by its folder: editors replace it.
    watched = folders | {one.parent for one in files - folders}
    looks = watch(
        *watched,
        watch_filter=_Kept(files - folders, folders),
        debounce=SETTLED_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        recursive=bool(folders),
    )
    next(looks)  # what is changed while the first check runs is noticed only when watching has begun before it
    _once()
    for changes in filter(None, looks):
        names = sorted({Path(path).name for _, path in changes})
        click.echo(f"\nChanged: {', '.join(names)}")
        _once()
    return OK


class _Kept:
    """Which changes count: of the files themselves, and of case files and contracts in the folders."""

    WATCHED = (*ENDINGS, ".md")

    def __init__(self, files: set[Path], folders: set[Path]) -> None:
        self.files, self.folders = files, folders

    def __call__(self, change: object, path: str) -> bool:
        changed = Path(path)
        within = changed.suffix in self.WATCHED and any(changed.is_relative_to(folder) for folder in self.folders)
        return within or changed in self.files


def _once() -> None:
    words = [word for word in sys.argv[1:] if word != OPTION]
    done = subprocess.run([sys.executable, "-c", ENTRY, *words], check=False)  # noqa: S603 - this very program
    click.echo(f"-- exit code {done.returncode}; waiting for a change; stop: Ctrl-C", err=True)
