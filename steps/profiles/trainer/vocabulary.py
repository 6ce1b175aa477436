"""The verbs of a trainer's cases."""

from rollout_conformance.steps.engine.verbs import Vocabulary
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import expectations as expect
from rollout_conformance.steps.profiles.trainer.generation import Generate

VOCABULARY = Vocabulary.of(
    do.StartRollout,
    Generate,
    do.ReportEnd,
    do.ReadRecord,
    do.WaitForStartRequests,
    expect.GenerationStatus,
    expect.CompletionStatus,
    expect.ControlStatus,
    expect.SameGenerations,
    expect.RecordShows,
    expect.StartRequests,
    expect.ToolsInPrompts,
    expect.StartRequestHas,
    expect.StartRequestCarries,
    expect.TruncationsMarked,
    expect.OverflowReported,
)
