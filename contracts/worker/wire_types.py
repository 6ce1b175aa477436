"""Types that the requests of several dialects of workers are made of. This module does no I/O, and any module may import it."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from rollout_conformance.contracts.rollout.wire import Integer, Number

LARGEST_SEED = 2**64 - 1
SMALLEST_SEED = -(2**63)


def default(value: Any) -> BeforeValidator:
    """null stands for this default."""
    return BeforeValidator(lambda given: value if given is None else given)


def _listed(value: Any) -> Any:
    return [] if value is None else [value] if isinstance(value, str) else value


Text = Annotated[str, Field(strict=True)]
NotEmpty = Annotated[Text, Field(min_length=1)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[Integer, Field(ge=0)]
Seed = Annotated[Integer, Field(ge=0, le=LARGEST_SEED)]
AnySeed = Annotated[Integer, Field(ge=SMALLEST_SEED, le=LARGEST_SEED)]
TokenIds = Annotated[list[Count], Field(min_length=1)]
Penalty = Annotated[Number, Field(ge=-2, le=2), default(0.0)]  # of tokens that were generated before
Samples = Annotated[Integer, Field(ge=1), default(1)]  # how many outputs a prompt has
Flag = Annotated[StrictBool, default(False)]
OneOrMoreTexts = Annotated[list[NotEmpty], BeforeValidator(_listed)]  # a text by itself is a list of one


class Request(BaseModel):
    """A request whose unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
