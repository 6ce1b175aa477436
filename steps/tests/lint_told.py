"""What `lint` says of a text, as if it stood in a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rollout_conformance.steps import lint

Told = Callable[[str, str], list[str]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """What `lint` says of a file with this ending and this text, without the name of the file."""

    def check(ending: str, text: str) -> list[str]:
        file = tmp_path / f"x.{ending}"
        file.write_text(text, encoding="utf-8")
        return [line.removeprefix(f"{file}:") for line in lint.of_files([file], None, None).problems]

    return check
