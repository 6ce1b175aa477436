"""Defects of lists, of their pages, and of deletion and lifetime of checkpoints of the dialect `tinker-json`."""

import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around, every, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.training import checkpoints, request_input, tinker_rest
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints, Path


def _changed(endpoint: Any, change: Any) -> Patch:
    """The body of a list is changed before it is sent."""

    async def handle(original: Any, self: Any, request: Request) -> Response:
        response: Response = await original(self, request)
        return json_response(change(json.loads(bytes(response.body))))

    return around_handler(endpoint, "get", handle)


def _of_one_kind(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "checkpoints": [one for one in body["checkpoints"] if one["checkpoint_type"] == "training"]}


def _twice(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "checkpoints": [*body["checkpoints"], *body["checkpoints"][:1]]}


def _kinds_reversed(row: dict[str, Any]) -> dict[str, Any]:
    other = {"training": "sampler", "sampler": "training"}
    return {**row, "checkpoint_type": other[row["checkpoint_type"]]}


def _without_samplers(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "sampler_ids": []}


def _other_rank(run: dict[str, Any]) -> dict[str, Any]:
    return {**run, "lora_rank": 32}


def _first_checkpoint(original: Any, app_state: Any, row: Any) -> dict[str, Any]:
    """The checkpoint that is shown as the last one is the first."""
    run: dict[str, Any] = original(app_state, row)
    own = [tinker_rest.checkpoint(one) for one in app_state.service.checkpoints.of_model(row["user"], row["id"])]
    first = {one["checkpoint_type"]: one for one in reversed(own)}
    return {**run, "last_checkpoint": first.get("training"), "last_sampler_checkpoint": first.get("sampler")}


def _without_the_newest(rows: Any) -> Any:
    """As a cache does that is filled before the save is committed."""
    return list(rows)[1:]


async def _models_of_the_tenant(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    app_state, caller = request_input.state_of(request), request_input.api_key_caller(request)
    every = [row["id"] for row in tinker_rest.models_of(app_state, caller.user)]
    return json_response({**json.loads(bytes(response.body)), "training_run_ids": every})


def _paged(change: Any) -> Patch:
    """The rows of a page are those that `change` gives for all rows, the limit and the offset."""

    def page(request: Request, rows: Any) -> tuple[Any, dict[str, int]]:
        limit, offset = tinker_rest.number(request, "limit", 20), tinker_rest.number(request, "offset", 0)
        found = change(rows, limit, offset)
        return found, {"offset": offset, "limit": limit, "total_count": len(rows)}

    return put(tinker_rest, "page", page)


def _total_of_the_page(found: tuple[Any, dict[str, int]]) -> tuple[Any, dict[str, int]]:
    return found[0], {**found[1], "total_count": len(found[0])}


def _removed(change: Any) -> Patch:
    """DELETE drops the rows that a condition selects."""
    return put(Checkpoints, "remove", change)


def _nothing(self: Checkpoints, user: str, path: Path) -> None:
    self.find(user, path)


def _both_kinds(self: Checkpoints, user: str, path: Path) -> None:
    self.find(user, path)
    self._drop("model = ? AND name = ?", path.model, path.name)


def _of_every_model(self: Checkpoints, user: str, path: Path) -> None:
    self.find(user, path)
    self._drop("user = ? AND kind = ? AND name = ?", user, path.kind, path.name)


def _newest(self: Checkpoints, user: str, path: Path) -> None:
    self.find(user, path)
    rows = self._database.all("SELECT file FROM checkpoints WHERE model = ? ORDER BY created_at", path.model)
    self._drop("file = ?", rows[-1]["file"])


_hidden: set[str] = set()


def _only_hidden(self: Checkpoints, user: str, path: Path) -> None:
    """The entry goes from the list, and the checkpoint stays."""
    _hidden.add(str(self.find(user, path)["file"]))


def _not_hidden(rows: Any) -> Any:
    return [row for row in rows if row["file"] not in _hidden]


def _hides() -> None:
    _removed(_only_hidden)()
    after(Checkpoints, "of_model", _not_hidden)()


def _unlimited(
    original: Any, self: Checkpoints, user: str, path: Path, file: Any, about: Any, ttl_s: int | None
) -> None:
    original(self, user, path, file, about, None)


def _in_minutes(
    original: Any, self: Checkpoints, user: str, path: Path, file: Any, about: Any, ttl_s: int | None
) -> None:
    original(self, user, path, file, about, None if ttl_s is None else 60 * ttl_s)


def _always_limited(
    original: Any, self: Checkpoints, user: str, path: Path, file: Any, about: Any, ttl_s: int | None
) -> None:
    original(self, user, path, file, about, 7 * 86400 if ttl_s is None else ttl_s)


def _never_removed(original: Any, self: Checkpoints, user: str, path: Path, ttl_s: int | None) -> None:
    """The lifetime of a checkpoint can be set, and not be removed."""
    if ttl_s is not None:
        original(self, user, path, ttl_s)


def _whole_model(self: Checkpoints, user: str, path: Path, ttl_s: int | None) -> None:
    self.find(user, path)
    expires = None if ttl_s is None else time.time() + ttl_s
    self._database.run("UPDATE checkpoints SET expires_at = ? WHERE model = ?", expires, path.model)


def _row_for_ever(self: Checkpoints, path: Path) -> Any:
    statement = "SELECT * FROM checkpoints WHERE model = ? AND kind = ? AND name = ?"
    return self._database.one(statement, path.model, path.kind, path.name)


def _without_scheme(self: Path) -> str:
    return f"{self.model}/{self.kind}/{self.name}"


def _any_scheme(original: Any, text: str) -> Path:
    path: Path = original(text if text.startswith("tinker://") else f"tinker://{text}")
    return path


def _as_weights(self: Path) -> str:
    """Every path is shown as that of a training checkpoint, and what it means is looked up."""
    return f"tinker://{self.model}/weights/{self.name}"


def _of_any_kind(original: Any, self: Checkpoints, user: str, path: Path) -> Any:
    other = {checkpoints.WEIGHTS: checkpoints.SAMPLER_WEIGHTS, checkpoints.SAMPLER_WEIGHTS: checkpoints.WEIGHTS}
    twin = Path(path.model, other[path.kind], path.name)
    return original(self, user, path if self.exists(user, path) or not self.exists(user, twin) else twin)


def _first_of_the_name(original: Any, self: Checkpoints, user: str, path: Path) -> Any:
    row = original(self, user, path)
    statement = "SELECT * FROM checkpoints WHERE user = ? AND model = ? AND name = ? ORDER BY created_at"
    return self._database.one(statement, user, path.model, path.name) or row


LISTS = (
    Mutant(
        "list_without_samplers", breaks="047", also=("049", "050"), what="the checkpoints of a model are listed without those of samplers",
        patch=_changed(tinker_rest.RunCheckpoints, _of_one_kind), dialects=TINKER,
    ),
    Mutant(
        "list_has_one_twice", breaks="047", also=("049",), what="the list of the checkpoints of a model has the first one twice",
        patch=_changed(tinker_rest.RunCheckpoints, _twice), dialects=TINKER,
    ),
    Mutant(
        "list_without_the_newest", breaks="047", what="the list of the checkpoints of a tenant lacks the newest",
        patch=after(Checkpoints, "of_user", _without_the_newest), dialects=TINKER,
    ),
    Mutant(
        "kinds_of_checkpoints_reversed", breaks="047", what="training checkpoints are listed as those of samplers",
        patch=after(tinker_rest, "checkpoint", _kinds_reversed), dialects=TINKER,
    ),
    Mutant(
        "session_without_samplers", breaks="047", what="a session lists no samplers",
        patch=_changed(tinker_rest.Session, _without_samplers), dialects=TINKER,
    ),
    Mutant(
        "session_lists_all_models", breaks="047", what="a session lists all models of its tenant",
        patch=around_handler(tinker_rest.Session, "get", _models_of_the_tenant), dialects=TINKER,
    ),
    Mutant(
        "rank_of_runs_is_fixed", breaks="047", what="every training run is described with the rank 32",
        patch=after(tinker_rest, "training_run", _other_rank), dialects=TINKER,
    ),
    Mutant(
        "first_checkpoint_is_the_last", breaks="047", what="the last checkpoint of a training run is its first one",
        patch=around(tinker_rest, "training_run", _first_checkpoint), dialects=TINKER,
    ),
    Mutant(
        "limit_ignored", breaks="048", what="a page has all entries after its offset",
        patch=_paged(lambda rows, limit, offset: rows[offset:]), dialects=TINKER,
    ),
    Mutant(
        "offset_ignored", breaks="048", also=("047",), what="every page begins with the first entry",
        patch=_paged(lambda rows, limit, offset: rows[:limit]), dialects=TINKER,
    ),
    Mutant(
        "offset_counts_pages", breaks="048", also=("047",), what="an offset counts pages, and not entries",
        patch=_paged(lambda rows, limit, offset: rows[offset * limit :][:limit]), dialects=TINKER,
    ),
    Mutant(
        "total_of_the_page", breaks="048", what="total_count is the number of entries of the page",
        patch=after(tinker_rest, "page", _total_of_the_page), dialects=TINKER,
    ),
)  # fmt: skip
DELETION = (
    Mutant(
        "delete_does_nothing", breaks="049", what="the deletion of a checkpoint is acknowledged without effect",
        patch=_removed(_nothing), dialects=TINKER,
    ),
    Mutant(
        "delete_hides", breaks="049", what="a deleted checkpoint is not listed any more, and can still be loaded",
        patch=_hides, dialects=TINKER,
    ),
    Mutant(
        "delete_of_both_kinds", breaks="049", what="the snapshot of the same name is deleted with a checkpoint",
        patch=_removed(_both_kinds), dialects=TINKER,
    ),
    Mutant(
        "delete_of_every_model", breaks="049", what="checkpoints of that name of all models are deleted",
        patch=_removed(_of_every_model), dialects=TINKER,
    ),
    Mutant(
        "delete_of_the_newest", breaks="049", what="the newest checkpoint of the model is deleted in place of the one that is named",
        patch=_removed(_newest), dialects=TINKER,
    ),
)  # fmt: skip
LIFETIME = (
    Mutant(
        "ttl_ignored", breaks="050", also=("051",), what="ttl_seconds of a save is ignored",
        patch=around(Checkpoints, "add", _unlimited), dialects=TINKER,
    ),
    Mutant(
        "ttl_in_minutes", breaks="050", also=("051",), what="ttl_seconds counts minutes",
        patch=around(Checkpoints, "add", _in_minutes), dialects=TINKER,
    ),
    Mutant(
        "ttl_by_default", breaks="050", what="a checkpoint without ttl_seconds expires after a week",
        patch=around(Checkpoints, "add", _always_limited), dialects=TINKER,
    ),
    Mutant(
        "ttl_stays", breaks="050", what="the lifetime of a checkpoint cannot be removed",
        patch=around(Checkpoints, "set_lifetime", _never_removed), dialects=TINKER,
    ),
    Mutant(
        "ttl_of_the_model", breaks="050", what="the lifetime of one checkpoint is set for all of its model",
        patch=put(Checkpoints, "set_lifetime", _whole_model), dialects=TINKER,
    ),
    Mutant(
        "expired_is_loaded", breaks="051", what="a checkpoint that has expired can be loaded",
        patch=put(Checkpoints, "_row", _row_for_ever), dialects=TINKER,
    ),
)  # fmt: skip
PATHS = (
    Mutant(
        "path_without_scheme", breaks="052", what="paths of checkpoints are returned without tinker://",
        patch=every(put(Path, "__str__", _without_scheme), around(checkpoints, "parse_path", _any_scheme)), dialects=TINKER,
    ),
    Mutant(
        "path_of_weights_for_samplers", breaks="052", also=("021", "047", "049"), what="the path of a snapshot is that of a training checkpoint",
        patch=every(put(Path, "__str__", _as_weights), around(Checkpoints, "find", _of_any_kind)), dialects=TINKER,
    ),
    Mutant(
        "kind_of_path_ignored", breaks="021", also=("049",), what="a checkpoint and a snapshot of one name are the one that was saved first",
        patch=around(Checkpoints, "find", _first_of_the_name), dialects=TINKER,
    ),
)  # fmt: skip
MUTANTS = (*LISTS, *DELETION, *LIFETIME, *PATHS)
