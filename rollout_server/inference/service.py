"""The inference server without HTTP: from a valid request to a generation."""

from dataclasses import dataclass

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    model_sampling,
    request_validation,
    sampling,
)
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer
from rollout_conformance.rollout_server.inference.generation import Generation
from rollout_conformance.rollout_server.inference.metrics import Metrics
from rollout_conformance.rollout_server.inference.model_sampling import ModelSampler
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest


@dataclass(frozen=True, slots=True)
class InferenceServer:
    settings: Settings
    tokenizer: ChatTokenizer
    scorer: Scorer
    metrics: Metrics
    model: ModelSampler | None = None

    def context(self, request: ChatRequest, id: str) -> ResponseContext:
        """The response without its choices. Raises `ApiError` for a request that is rejected."""
        request_validation.check(request, self.settings)
        prompt = chat_prompt.chat_ids(self.tokenizer, request)
        request_validation.check_length(len(prompt), request, self.settings)
        return ResponseContext(id, self.settings.model, request, tuple(prompt))

    def generate(self, context: ResponseContext) -> Generation:
        room = self.settings.max_model_len - len(context.prompt)
        request = with_seed(context.request)
        if self.model is not None:
            return self._sampled(self.model, context, request, room)
        choices = [
            sampling.sample(self.scorer, request, context.prompt, index, room)
            for index in range(chat_completion.count(request))
        ]
        return Generation(self.metrics, self.settings.token_delay_s, choices, len(context.prompt))

    def _sampled(self, model: ModelSampler, context: ResponseContext, request: ChatRequest, room: int) -> Generation:
        """Raises `ApiError` for what the rules cannot write, before the response begins."""
        if model_sampling.is_constrained(request):
            sampling.sample(self.scorer, request, context.prompt, 0, room)
        count = chat_completion.count(request)
        if model_sampling.grows(request, count):
            growing = model.growing(request, context.prompt, room)
            return Generation(self.metrics, self.settings.token_delay_s, (), len(context.prompt), growing=growing)
        sampled = model.choices(request, context.prompt, room, count)
        return Generation(self.metrics, self.settings.token_delay_s, (), len(context.prompt), sampled)


def with_seed(request: ChatRequest) -> ChatRequest:
    """One seed for all choices of a request: they differ by their index."""
    return request.model_copy(update={"seed": sampling.seed(request)})


def create(settings: Settings) -> InferenceServer:
    """Raises `SettingsError` when there is no usable tokenizer or model."""
    tokenizer = chat_tokenizer.load(settings.tokenizer, "ENGINE_TOKENIZER")
    scorer = Scorer.of(tokenizer)
    return InferenceServer(
        settings, tokenizer, scorer, Metrics(settings.model), model_sampling.create(settings, scorer)
    )
