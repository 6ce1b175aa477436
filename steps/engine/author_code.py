"""Code that others wrote: the packages whose entry points are profiles. What fails there is not a fault of the suite."""

import functools
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import FrameType

GROUP = "rollout_conformance.profiles"


@functools.cache
def packages() -> Mapping[str, str]:
    """The profile by the name of the top-level package that it is in."""
    return {point.module.partition(".")[0]: point.name for point in metadata.entry_points(group=GROUP)}


def fault_of_author(error: BaseException) -> str:
    """`the profile echo failed, at profile.py:33`; empty where no code of another package was running when the error arose."""
    known = packages()
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = known.get(_package(frame))
        if name is not None:
            return f"the profile {name} failed, at {Path(frame.f_code.co_filename).name}:{line}"
    return ""


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
