"""Verbs that make models and end them: a session, a model with its adapter, a heartbeat."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from rollout_conformance.steps.engine.lenient_json import listed, mapping
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, made, response_named
from rollout_conformance.steps.profiles.training.context import (
    RIGHT,
    Client,
    Model,
    Stopped,
    TrainingSession,
    book_of,
)
from rollout_conformance.steps.profiles.training.left_models import note, room_made, turn
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Members, TinkerJson

SEED = 7
OTHER_REASONS = (401, 403, 404, 410, 422)  # statuses of a rejection that no room would change
LISTED, LAST = "{listed}", "{last listed}"  # the first and the last model of the response `listed`


def models_in(body: object) -> list[str] | None:
    """The models that a target lists and trains: `supported_models` of objects or texts, or `models`. None where it has no such list."""
    found = mapping(body)
    if not any(isinstance(found.get(member), list) for member in ("supported_models", "models")):
        return None
    every = [*listed(found.get("supported_models")), *listed(found.get("models"))]
    trained = [one for one in every if mapping(one).get("trainable") is not False]
    names = [one if isinstance(one, str) else mapping(one).get("model_name") for one in trained]
    return [name for name in names if isinstance(name, str) and name]


async def client_of(session: TrainingSession, key: str) -> Client:
    """The tenant with this key; its session is created at its first call."""
    clients = book_of(session).clients
    if key not in clients:
        clients[key] = Client()
        wire = session.context.wire
        if isinstance(wire, TinkerJson):
            name = f"session of {key}"
            created = await made(session, name, wire.create_session(), Meaning("create_session", internal=True), key)
            clients[key].session_id = str(created.fields.get("session_id") or "")
            if not clients[key].session_id:
                raise Stopped("a session")
    return clients[key]


def model_of(session: TrainingSession, name: str) -> Model:
    """The model of that name. Raises `Stopped` where it was not created."""
    found = book_of(session).models.get(name)
    if found is None:
        raise Stopped(f"the model {name}")
    return found


@verb("create_model", short="model", example=("a", "{model: b, seed: 8, key: other}"))
@phrase("the client creates the model {model:word}")
@phrase("the client creates the model {model:word} with the seed {seed}")
@phrase("the tenant {key:word} creates the model {model:word}")
@phrase("the client creates the model {model:word} as {name:word}")
@phrase(
    "the client creates the model {model:word} from the base model {base:text} as {name:word}",
    example={"base": '"no-such-model"'},
)
@dataclass(frozen=True, slots=True)
class CreateModel:
    """Create a model with a LoRA adapter (a run, in the dialect `signal`) and wait for it."""

    model: str = "a"
    "The name of the model in this case."
    key: str = RIGHT
    "The key of its owner, which all calls about it are sent with: right, or the name of a key on the card."
    base: str = ""
    "The base model; {listed} or {last listed} is the first or the last one of the response `listed`. Default: that of the card, or the first listed."
    rank: int | None = None
    "The rank of the adapter; default: that of the card."
    seed: int | None = SEED
    "The seed of the adapter; null sends none. Models of one seed begin equal."
    options: Mapping[str, object] = field(default_factory=dict)
    "More members of the request."
    lora: Mapping[str, object] = field(default_factory=dict)
    "More members of `lora_config`; of the request in the dialect `signal`."
    name: str = ""
    "A name for the response; without one it does not count as `first`, `second` and so on."

    @property
    def keeps(self) -> tuple[str, ...]:
        return (self.name,) if self.name else ()

    async def perform(self, session: TrainingSession) -> None:
        client = await client_of(session, self.key)
        name = responses_of(session).reserve(self.name) if self.name else f"model {self.model}"
        members: Members = {"session_id": client.session_id, "model_seq_id": client.next_model}
        client.next_model += 1
        context = session.context
        rank = context.card.rank if self.rank is None else self.rank
        call = context.wire.create_model(self._base(session), rank, self.seed, members)
        call.members.update(self.options)
        lora = call.members.get("lora_config")
        (lora if isinstance(lora, dict) else call.members).update(self.lora)
        meaning = Meaning("create_model", self.model, internal=not self.name)
        await turn(session)
        created = await made(session, name, call, meaning, self.key)
        created = await self._with_room(session, created, lambda: made(session, name, call, meaning, self.key))
        self._note(session, created)

    async def _with_room(
        self, session: TrainingSession, created: TrainingResponse, again: Callable[[], Awaitable[TrainingResponse]]
    ) -> TrainingResponse:
        """The response to the creation where the target has room for another model: it is sent again once, and as often as the patience allows
        where the target is known to have little."""
        left, until = session.context.left, monotonic() + session.patience_s
        while self._may_lack_room(session, created):
            held = len(left.models)
            if not await room_made(session):
                break
            created = await again()
            if created.outcome == "done":  # which shows what the target lacked
                left.learn(held)
            if left.room is None or monotonic() > until:
                break
        return created

    def _may_lack_room(self, session: TrainingSession, created: TrainingResponse) -> bool:
        """Whether the target may have rejected the model because it has no room: nothing in the request is a reason to, or it is known that
        there is little."""
        if created.outcome not in ("rejected", "failed") or created.status in OTHER_REASONS:
            return False
        plain = not (self.base or self.options or self.lora or self.rank is not None or self.name)
        return plain or session.context.left.room is not None

    def _base(self, session: TrainingSession) -> str:
        if self.base not in (LISTED, LAST):
            return self.base or session.context.model
        found = response_named(session, "listed")
        names = models_in(found.body) if found else []
        return names[-1 if self.base == LAST else 0] if names else ""

    def _note(self, session: TrainingSession, created: TrainingResponse) -> None:
        id = session.context.wire.model_id(created.result)
        if created.outcome == "done" and id:
            model = book_of(session).models[self.model] = Model(id, self.key)
            note(session, model)
