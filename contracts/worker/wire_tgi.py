"""The request of the dialect `tgi`: `POST /generate_stream`, and `POST /generate` for a response that is no stream.

An optional parameter that is null has its default.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.contracts.worker.wire_types import Count, Flag, NotEmpty, Penalty, Request, Seed, default

USUAL_TOKENS = 100
MOST_STOPS = 4
MOST_ALTERNATIVES = 5


class Grammar(Request):
    type: Literal["json", "regex"]
    value: Any


class Parameters(Request):
    """Without `do_sample`, and without a parameter of sampling, the likeliest token is taken."""

    max_new_tokens: Annotated[Integer, Field(ge=1), default(USUAL_TOKENS)] = USUAL_TOKENS
    do_sample: Flag = False
    temperature: Annotated[Number, Field(gt=0)] | None = None
    top_k: Annotated[Integer, Field(ge=1)] | None = None
    top_p: Annotated[Number, Field(gt=0, lt=1)] | None = None
    repetition_penalty: Annotated[Number, Field(gt=0), default(1.0)] = 1.0
    frequency_penalty: Penalty = 0.0
    seed: Seed | None = None
    stop: Annotated[list[NotEmpty], Field(max_length=MOST_STOPS), default([])] = Field(default_factory=list)
    grammar: Grammar | None = None
    details: Flag = False
    decoder_input_details: Flag = False
    return_full_text: Flag = False
    top_n_tokens: Annotated[Count, Field(le=MOST_ALTERNATIVES), default(0)] = 0


class GenerateRequest(Request):
    inputs: NotEmpty
    parameters: Annotated[Parameters, default({})] = Field(default_factory=Parameters)
