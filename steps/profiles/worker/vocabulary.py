"""The verbs of a case about an inference worker."""

from rollout_conformance.steps.engine.verbs import Vocabulary
from rollout_conformance.steps.http.expectations import Elapsed, Header, JsonMember, NoHeader, Status
from rollout_conformance.steps.http.requests import Pause, Send, WaitForStatus
from rollout_conformance.steps.profiles.worker import actions, execute
from rollout_conformance.steps.profiles.worker.expectations import endings, outputs, rejections, slots, stop_texts, surface

VOCABULARY = Vocabulary.of(
    Pause,
    Send,
    WaitForStatus,
    Status,
    Header,
    NoHeader,
    JsonMember,
    Elapsed,
    execute.Execute,
    actions.WaitForTokens,
    actions.WaitForJobs,
    actions.Cancel,
    actions.Disconnect,
    actions.Health,
    actions.StopWorker,
    endings.Ended,
    endings.CarriedOut,
    endings.CarriedOutOrRejected,
    endings.Cancelled,
    endings.Incremental,
    outputs.SameOutput,
    outputs.SameEach,
    outputs.DifferentOutputs,
    outputs.Begins,
    outputs.Grows,
    outputs.Separate,
    stop_texts.Stopped,
    stop_texts.UniformStopText,
    stop_texts.SameReason,
    stop_texts.KeepsIds,
    rejections.Rejected,
    rejections.HidesTexts,
    rejections.TreatedEqually,
    slots.SlotIsFree,
    slots.CarriedOutOrBusy,
    surface.Correlated,
    surface.DescribesWorker,
)
