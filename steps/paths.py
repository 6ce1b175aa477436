"""Where the data of the suite lies: in the folders of a checkout, or beside the modules of an installed package."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # holds contracts/, features/, rollout_server/, scenarios/ and steps/
CONTRACTS = ROOT / "contracts"
SCENARIOS = ROOT / "scenarios"
TOKENIZER = SCENARIOS / "tokenizer"


def shown(file: Path, root: Path = ROOT, folder: Path | None = None) -> str:
    """A file as messages, ids of cases and reports name it: from the root where it is the suite's, else from `folder` (the working directory),
    so that it is the same wherever a project is checked out. A path that is shorter from the top of the disk, or that would be taken for one
    of the suite's, is absolute."""
    if file.is_relative_to(root):
        return file.relative_to(root).as_posix()
    near = os.path.relpath(file, folder)
    if near.startswith("-"):
        near = f"./{near}"  # else a command would take it for an option
    return str(file) if len(near) > len(str(file)) or (root / near).exists() else near
