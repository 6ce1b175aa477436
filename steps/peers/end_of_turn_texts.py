"""The texts of the tokens that end a turn or an output in the chat templates of public models. They belong to the token ids; a server that leaves
one in a text has decoded with `skip_special_tokens` false, and a template that renders this text again has the token twice."""

from collections.abc import Mapping

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.peers.tokens import END_OF_TURN

# The eos tokens of the tokenizers of Qwen and other ChatML, Llama 3, Phi, gpt-oss, Gemma, Mistral and Llama 2, DeepSeek, Command R.
TEXTS = (
    END_OF_TURN,
    *("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "<|return|>", "<|call|>"),
    *("<end_of_turn>", "<|EOT|>", "</s>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|END_OF_TURN_TOKEN|>"),
)


def left_in(text: str, sent: str = "") -> str:
    """The text of such a token with which `text` ends, and which does not occur in what was sent; otherwise empty."""
    end = text.rstrip()[-max(map(len, TEXTS)) :]
    return next((one for one in TEXTS if end.endswith(one) and one not in sent), "")


def are_requested(request: Mapping[str, object]) -> bool:
    """Whether a request asks that such texts are part of the output (vLLM, SGLang), or that sampling goes on behind them: by members of its own,
    or of the object that holds its sampling parameters."""
    places = (request, *(mapping(request.get(name)) for name in ("sampling_params", "parameters")))
    return any(
        place.get("skip_special_tokens") is False
        or any(place.get(name) is True for name in ("include_stop_str_in_output", "no_stop_trim", "ignore_eos"))
        for place in places
    )
