"""What exploration found, as text: the finding, and the scenario that shows it again."""

from pathlib import Path

from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.exploration.explore import Explored, save
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.scenario.document_text import text_of


def finding_text(explored: Explored, folder: Path | None) -> str:
    """The finding of a walk that failed. With `folder`, the scenario is written there as well."""
    assert explored.outcome is not None
    assert explored.document is not None
    groups = collapse([explored.outcome], profile_of(explored.outcome.case.profile).catalogue)
    kept = save(explored, folder) if folder is not None else None
    hint = f"saved as {kept}" if kept else "--save-scenario DIR saves it as a file"
    scenario = f"As a scenario ({hint}):\n\n{text_of(explored.document)}"
    return "\n\n".join([*(finding_block(group) for group in groups), scenario])
