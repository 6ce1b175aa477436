"""What all requests of one server share."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.training import text_codec
from rollout_conformance.rollout_server.training.checkpoint_files import CheckpointFiles
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints
from rollout_conformance.rollout_server.training.database import Database
from rollout_conformance.rollout_server.training.key_store import KeyStore
from rollout_conformance.rollout_server.training.metrics import Metrics
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.service import Service
from rollout_conformance.rollout_server.training.settings import Settings
from rollout_conformance.rollout_server.training.text_codec import TextCodec


@dataclass(frozen=True, slots=True)
class AppState:
    settings: Settings
    service: Service
    keys: KeyStore
    codec: TextCodec
    log: Any
    close: Callable[[], None]


def create_state(settings: Settings) -> AppState:
    own = Path(tempfile.mkdtemp(prefix="training-")) if settings.folder is None else None
    folder = own or settings.folder
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(folder / "training.db", kept=own is None)
    codec, log, metrics = text_codec.load(settings.tokenizer), logs.create(settings.log_level), Metrics()
    checkpoints = Checkpoints(database, CheckpointFiles(folder / "checkpoints", kept=own is None))
    models = ModelStore(database, settings.session_timeout_s)
    service = Service(settings, database, models, checkpoints, metrics, codec.decode, log)

    def close() -> None:
        database.close()
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)

    return AppState(settings, service, KeyStore(database, settings.keys), codec, log, close)
