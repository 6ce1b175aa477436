"""The engine without its HTTP face: what it knows, and how a valid request becomes a run."""

from dataclasses import dataclass

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens
from rollout_conformance.rollout_server.inference import chat_completion, chat_prompt, request_validation, sampling
from rollout_conformance.rollout_server.inference import settings as configuration
from rollout_conformance.rollout_server.inference.chat_completion import Told
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer
from rollout_conformance.rollout_server.inference.generation import Run
from rollout_conformance.rollout_server.inference.metrics import Metrics
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.trainer.settings import SettingsError as TokenizerError


@dataclass(frozen=True, slots=True)
class Engine:
    settings: Settings
    tokens: ChatTokens
    scorer: Scorer
    metrics: Metrics

    def told(self, request: ChatRequest, id: str) -> Told:
        """The answer before its choices. Raises `EngineError` for a request that is refused."""
        request_validation.check(request, self.settings)
        prompt = chat_prompt.of_chat(self.tokens, request)
        request_validation.check_length(len(prompt), request, self.settings)
        return Told(id, self.settings.model, request, tuple(prompt))

    def run(self, told: Told) -> Run:
        room = self.settings.max_model_len - len(told.prompt)
        choices = [
            sampling.sample(self.scorer, request, told.prompt, index, room)
            for request in [seeded(told.request)]
            for index in range(chat_completion.count(request))
        ]
        return Run(self.metrics, self.settings.token_delay_s, choices, len(told.prompt))


def seeded(request: ChatRequest) -> ChatRequest:
    """One seed for all choices of a request: they differ by their index."""
    return request.model_copy(update={"seed": sampling.seed(request)})


def create(settings: Settings) -> Engine:
    """Raises `SettingsError` when there is no usable tokenizer."""
    try:
        chat_tokens = chat_tokenizer.load(settings.tokenizer)
    except TokenizerError as error:
        message = str(error).replace("TRAINER_", configuration.PREFIX)
        raise configuration.SettingsError(message) from error
    return Engine(settings, chat_tokens, Scorer.of(chat_tokens), Metrics(settings.model))
