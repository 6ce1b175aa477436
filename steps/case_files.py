"""Where the cases of a profile lie."""

from pathlib import Path

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import OURS, PROFILES


def files(profile: str, root: Path = ROOT) -> list[Path]:
    """Every case file of a profile, features first, those in subfolders as well."""
    if profile in OURS:
        folders: tuple[Path, ...] = (root / "features" / profile, root / "scenarios" / profile)
    else:
        folders = PROFILES[profile].cases
    return [file for ending in ("*.feature", "*.yaml") for folder in folders for file in sorted(folder.rglob(ending))]
