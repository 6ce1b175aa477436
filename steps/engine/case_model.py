"""The YAML format of a case that all profiles share. A profile adds members of its own in a subclass; the editor schema is generated.

Keys are the words of the protocol. There are no expressions, no includes and no templates, but a table of rows: `examples`.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from rollout_conformance.steps.engine.verb_parsing import MOST_S
from rollout_conformance.steps.engine.yaml_source import Path_

COLUMN = {"type": "string", "pattern": r"^<\w+>$"}  # in place of a value: that of a column of `examples`
Status = Annotated[
    int,
    Field(ge=100, le=599),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, COLUMN]}),
]
Seconds = Annotated[float, Field(ge=0, le=MOST_S, allow_inf_nan=False)]
Written = str | dict[str, object]
Setup = tuple[Path_, str, Callable[[], Any]]


def _selectable(name: str) -> str:
    if "::" in name or "[" in name:
        raise ValueError("a name may not contain :: or [, pytest could not select it")
    return name


CaseName = Annotated[str, Field(min_length=1), AfterValidator(_selectable)]


class Members(BaseModel):
    """Members that are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LiveModel(Members):
    """`live` of a case: what it demands when a real model generates. Sampled content is judged in several runs, never on one draw."""

    model_config = ConfigDict(title="What holds with a real model")

    expect: list[Written] | None = Field(None, description="instead of the case's own expectations")
    runs: int = Field(1, ge=1, le=100, description="how often the case is played")
    least: int | None = Field(None, ge=1, description="how many of the runs have to hold; default: all")

    @model_validator(mode="after")
    def _fewer(self) -> "LiveModel":
        if self.least is not None and self.least > self.runs:
            raise ValueError(f"least is {self.least}, and there are only {self.runs} runs")
        return self


class CaseModel(Members):
    """One case. `steps` are what the suite does, in order; `expect` what must come of it."""

    described: ClassVar[tuple[type[BaseModel], ...]] = ()  # what the vocabulary describes besides what the schema names

    name: CaseName = Field(description="what `--case` selects it by")
    requirements: list[str] = Field(
        min_length=1, description="what the case is about; the first is what a failure accuses"
    )
    dialects: list[str] = Field(default_factory=list, description="default: all dialects of the requirements")
    tags: list[str] = Field(default_factory=list, description="markers for `-m`")
    needs: list[str] = Field(
        default_factory=list,
        description="capabilities without which the case is skipped, besides those of its requirements",
    )
    variant: str = Field("", description="on the instance of the target that the card configures under this name")
    alone: bool = Field(False, description="on an instance of the target that no other case uses")
    examples: list[dict[str, object]] = Field(
        default_factory=list,
        description="rows of values, as Examples in Gherkin: the case is played once for each, `<column>` replaced by its value",
    )
    steps: list[Written] = Field(min_length=1, description="what is done, in order: see Steps")
    expect: list[Written] = Field(default_factory=list, description="what must come of it: see Expectations")
    live: bool | LiveModel = Field(
        True, description="whether all expectations hold whatever a real model says; or what holds instead"
    )

    def setup(self) -> Iterator[Setup]:
        """Actions that other members of the case stand for, before its steps: (path, how it is shown, how it is made or None)."""
        return iter(())

    def default_steps(self) -> Iterator[tuple[str, object]]:
        """The steps of a case that writes none: (how it is shown, the action)."""
        return iter(())
