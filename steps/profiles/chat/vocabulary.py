"""The verbs of the profile `chat`: those of every HTTP client, and those about completions."""

from rollout_conformance.steps.engine.verbs import Vocabulary
from rollout_conformance.steps.http.expectations import JsonMember, Status
from rollout_conformance.steps.http.metrics import Scrape
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.profiles.chat.combinations import CombinedRequest, GrantedTogether
from rollout_conformance.steps.profiles.chat.expectations import sampling, statuses, text, token_weights, tools, usage
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.sse.expectations import StreamsIncrementally

VOCABULARY = Vocabulary.of(
    ChatRequest,
    CombinedRequest,
    GrantedTogether,
    Send,
    Scrape,
    Status,
    JsonMember,
    StreamsIncrementally,
    statuses.Rejected,
    statuses.ListsModels,
    sampling.SameCompletion,
    sampling.SameFinish,
    sampling.SameCompletionOrRejected,
    sampling.SamplesDiffer,
    sampling.TemperatureHasEffect,
    sampling.Choices,
    sampling.ChoicesDiffer,
    sampling.SameLogprobs,
    sampling.TopLogprobs,
    token_weights.FirstTokenBanned,
    token_weights.PenaltyHasEffect,
    text.Contains,
    text.NotContains,
    text.PromptContains,
    text.JsonObject,
    text.MatchesSchema,
    text.StoppedBefore,
    text.Truncated,
    text.AnswersWholeQuestion,
    tools.ToolCalls,
    tools.AtMostOneCall,
    tools.ContainsResults,
    usage.PromptGrows,
    usage.SameUsage,
    usage.UsageChunk,
    usage.GenerationAborted,
)
