"""What is demanded of lists of sessions, models (training runs) and checkpoints, and of one page of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mapping, mappings, text
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

IDS = ("tinker_path", "training_run_id")  # of the entries that are objects
LISTS = ("checkpoints", "training_runs", "sessions", "training_run_ids", "sampler_ids")
MADE = (
    "path",
    "sampling_session_id",
    "model_id",
    "session_id",
)  # what a call returns of what it made, the most exact first
MOST_PAGES = 40  # of one list that are read
KINDS = {"weights": "training", "sampler_weights": "sampler"}


def ids_in(response: TrainingResponse) -> list[str]:
    """The ids of all entries of a list, in order."""
    entries = [one for name in LISTS for one in listed(response.result.get(name))]
    return [one if isinstance(one, str) else _id_of(mapping(one)) for one in entries]


def _id_of(entry: JsonObject) -> str:
    return next((found for name in IDS if (found := text(entry.get(name)))), "")


def made_by(response: TrainingResponse) -> str:
    """The id, or the path, of what a call made; nothing where it made nothing."""
    if response.outcome != "done":
        return ""
    return next((found for name in MADE if (found := text(response.result.get(name)))), "")


@verb("listed_once", example="{of: [listing], once: [saved, snapshot], never: [deleted]}")
@dataclass(frozen=True, slots=True)
class ListedOnce(ComparedResponses[TrainingResponse, TrainingView]):
    """The list, or its pages together, has what some calls made, each of it once, and nothing of what others made."""

    once: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "The calls whose models, sessions, samplers or checkpoints have to be there once."
    never: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Those whose may not be there."

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        if any(one.outcome != "done" for one in responses) or len(responses) >= MOST_PAGES:
            return None  # a longer list was not read to its end
        found = [id for one in responses for id in ids_in(one)]
        for made in filter(None, map(made_by, view.named(*self.once))):
            if (times := found.count(made)) != 1:
                return Check(
                    False, f"{show(made)} once in the list", f"{times} times among {len(found)} entries: {show(found)}"
                )
        for made in filter(None, map(made_by, view.named(*self.never))):
            if made in found:
                return Check(False, f"a list without {show(made)}", show(found))
        return Check(True, "each entry once", "")


@verb("kinds_of_checkpoints", short="of", example="listing")
@dataclass(frozen=True, slots=True)
class KindsOfCheckpoints(ResponseExpectation[TrainingResponse, TrainingView]):
    """Each checkpoint of the list has the kind and the id that its path shows."""

    def check(self, response: TrainingResponse, view: TrainingView) -> list[Check]:
        return [found for one in mappings(response.result.get("checkpoints")) if (found := _kind(one)) is not None]


def _kind(entry: JsonObject) -> Check | None:
    parts = text(entry.get("tinker_path")).removeprefix("tinker://").split("/")
    if len(parts) != 3 or parts[1] not in KINDS:
        return None  # the path of each save is judged where it was saved
    wanted = {"checkpoint_id": "/".join(parts[1:]), "checkpoint_type": KINDS[parts[1]]}
    wrong = {name: entry.get(name) for name, value in wanted.items() if entry.get(name) != value}
    return Check(not wrong, f"{show(entry.get('tinker_path'))} with {show(wanted)}", show(wrong))


@verb("described_run", example="{of: run, created: made, last: saved, last_sampler: snapshot}")
@dataclass(frozen=True, slots=True)
class DescribedRun(ResponseExpectation[TrainingResponse, TrainingView]):
    """The description of a training run is that of the model that was created: its id, its base model and rank, and its newest checkpoints, each
    where it is returned."""

    created: ResponseName = field(default="created", kw_only=True)
    "The response to the creation."
    last: ResponseName = field(default="", kw_only=True)
    "The newest save."
    last_sampler: ResponseName = field(default="", kw_only=True)
    "The newest snapshot under a name."

    def check(self, response: TrainingResponse, view: TrainingView) -> list[Check]:
        created = next(iter(view.named(self.created)), None)
        if created is None or created.outcome != "done":
            return []
        sent = created.request
        wanted = {
            "training_run_id": created.result.get("model_id"),
            "base_model": sent.get("base_model"),
            "lora_rank": mapping(sent.get("lora_config")).get("rank"),
            "last_checkpoint": self._path(self.last, view),
            "last_sampler_checkpoint": self._path(self.last_sampler, view),
        }
        return [check for name, value in wanted.items() if (check := _described(response.result, name, value))]

    def _path(self, name: str, view: TrainingView) -> str | None:
        return next((made_by(one) for one in view.named(name)), None) if name else None


def _described(run: Mapping[str, object], name: str, wanted: object) -> Check | None:
    value = run.get(name)
    found = mapping(value).get("tinker_path") if name.startswith("last_") else value
    if not wanted or found is None:
        return None
    return Check(found == wanted, f"{name} {show(wanted)}", f"{name} {show(found)}")


def path_of(view: TrainingView, saved: ResponseName, provided: tuple[ResponseName, ...]) -> str:
    """The path of what was saved; empty where nothing was, or where a call that the target may reject was rejected."""
    if any(one.outcome != "done" for one in view.named(*provided)):
        return ""
    return next((made_by(one) for one in view.named(saved)), "")


@verb("public", example="{of: listing, saved: saved, public: true}")
@dataclass(frozen=True, slots=True)
class Public(ResponseExpectation[TrainingResponse, TrainingView]):
    """The entry of a checkpoint in the list is public, or is not, where it has that member."""

    saved: ResponseName = field(default="saved", kw_only=True)
    "The save of the checkpoint."
    public: bool = field(default=False, kw_only=True)
    "Whether it has to be public."
    provided: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Calls that the target may reject: where one was, nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        path = path_of(view, self.saved, self.provided)
        if not path:
            return None
        found = [one.get("public") for one in mappings(response.result.get("checkpoints")) if _id_of(one) == path]
        if len(found) != 1 or found[0] is None:
            return None
        return Check(
            found[0] is self.public, f"{show(path)} with public {show(self.public)}", f"public {show(found[0])}"
        )


def asked(response: TrainingResponse, view: TrainingView) -> tuple[int, int]:
    """The limit and the offset of the request of a page."""
    query = parse_qs(urlsplit(view.trace.exchanges[response.n].request.path).query)
    return int(query["limit"][0]), int(query.get("offset", ["0"])[0])


@verb("pages", short="of", example="[whole, second_page, whole_again]")
@dataclass(frozen=True, slots=True)
class Pages(ComparedResponses[TrainingResponse, TrainingView]):
    """The last response repeats the request of the first; where both are equal, nothing was made meanwhile, and the others are pages of the first:
    each has the entries after its offset, no more than its limit, and a `total_count` that counts them."""

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        whole, *pages, again = responses
        ids = ids_in(whole)
        if any(one.outcome != "done" for one in responses) or len(ids) < 2 or ids != ids_in(again):
            return None
        wrong = [check for one in (whole, *pages) if (check := _page(one, ids, view)) is not None]
        return next(iter(wrong), Check(True, "pages of one list", ""))


def _page(page: TrainingResponse, ids: list[str], view: TrainingView) -> Check | None:
    """What is wrong with a page of the list that begins with these ids; None where nothing is."""
    limit, offset = asked(page, view)
    found, wanted = ids_in(page), ids[offset : offset + limit]
    request = f"limit={limit} and offset={offset}"
    if len(found) > limit:
        return Check(False, f"at most {limit} entries for {request}", f"{len(found)} entries")
    if found[: len(wanted)] != wanted:
        return Check(False, f"{show(wanted)} for {request}, as in the list from its beginning", show(found))
    total = mapping(page.result.get("cursor")).get("total_count")
    if isinstance(total, int) and total < max(offset + len(found), len(ids)):
        least = max(offset + len(found), len(ids))
        return Check(False, f"total_count of at least {least}, the entries that were returned", f"total_count {total}")
    return None
