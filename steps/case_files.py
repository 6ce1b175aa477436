"""Where the cases of a profile lie."""

from pathlib import Path

from rollout_conformance.steps.paths import ROOT


def files(profile: str, root: Path = ROOT) -> list[Path]:
    """Every case file of a profile, features first, those in subfolders as well."""
    features = sorted((root / "features" / profile).rglob("*.feature"))
    return features + sorted((root / "scenarios" / profile).rglob("*.yaml"))
