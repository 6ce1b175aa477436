"""An entry of the gallery: the folder `scenarios/targets/<name>/` with `target.yaml`, a card and what else the server needs."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.paths import ROOT, SCENARIOS

TARGETS = SCENARIOS / "targets"
DESCRIPTION = "target.yaml"
ALONE = "--no-deps"  # among the packages of pip: only these are installed, and not what they ask for


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Install(_Strict):
    """The packages, each pinned, and the CPython they need."""

    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    module: str | None = Field(
        None, description="a module of this project that makes the environment: `python -m MODULE DIRECTORY`"
    )
    own: bool = Field(False, description="whether it is a server of this project, for which nothing is installed")
    python: str | None = Field(None, pattern=r"^3\.\d+$", description="the minor version; default: that of the suite")

    @model_validator(mode="after")
    def _pinned(self) -> "Install":
        loose = [word for word in self.pip if "==" not in word and word != ALONE] + [
            word for word in self.npm if "@" not in word[1:]
        ]
        if loose:
            raise ValueError(
                f"{', '.join(loose)}: pin the version, or the expected findings are those of another release"
            )
        if not (self.pip or self.npm or self.module or self.own):
            raise ValueError(
                "name at least one package, under pip or npm, or a module that installs; `own: true` for a server of this project"
            )
        return self

    @property
    def first(self) -> str:
        """The package that is judged, as it is pinned."""
        return (*self.pip, *self.npm, self.module or "this project")[0]


class Expected(_Strict):
    """A finding that is known to be true of this release, and why. `counts_as`: its level, where that is lower than the one of its
    requirement. `sometimes`: it depends on timing inside the target."""

    requirement: str
    reason: str = Field(min_length=10)
    counts_as: Literal["should"] | None = None
    sometimes: bool = False


class Description(_Strict):
    """The content of `target.yaml`."""

    system: str
    setup: str = Field("", description="how it is configured, in a few words")
    profile: str
    dialect: str | None = None
    install: Install
    version: str | None = Field(None, description="of what `module` installs; else that of the first package")
    command: str = Field(
        description="what starts it; {bin}, {here}, {targets}, {root}, {suite_python} are folders and programs, {port} its port"
    )
    card: str | None = None
    jobs: int = Field(8, ge=1)
    max_time_s: float = Field(900, gt=0)
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One real server: its folder and what `target.yaml` says."""

    folder: Path
    description: Description

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def version(self) -> str:
        """`1.108.7` of `litellm[proxy]==1.108.7` or of `@portkey-ai/gateway@1.15.2`."""
        return self.description.version or self.description.install.first.replace("==", "@").rpartition("@")[2]

    def target(self, environment: Path) -> str:
        """The `--target` of this server, installed in `environment`."""
        values: Mapping[str, str] = {
            "bin": str(environment / "bin"),
            "here": str(self.folder),
            "targets": str(self.folder.parent),
            "root": str(ROOT),
            "suite_python": sys.executable,
        }
        command = self.description.command
        for name, value in values.items():
            command = command.replace("{" + name + "}", shlex.quote(value))
        return f"cmd:{command}"

    @property
    def card(self) -> Path | None:
        return self.folder / self.description.card if self.description.card else None


def load(folder: Path) -> Entry:
    """Raises `SuiteError` with file:line for a description that is wrong."""
    file = folder / DESCRIPTION
    return Entry(folder.resolve(), yaml_source.validated(Description, yaml_source.read(file)))


def names(targets: Path = TARGETS) -> list[str]:
    return sorted(file.parent.name for file in targets.glob(f"*/{DESCRIPTION}"))


def chosen(wanted: tuple[str, ...], targets: Path = TARGETS) -> list[Entry]:
    """The entries with these names, all when none is named. Raises `SuiteError` for a name that there is not."""
    known = names(targets)
    for name in wanted:
        if name not in known:
            raise SuiteError(unknown_name("target of the gallery", name, known))
    return [load(targets / name) for name in (wanted or known)]
