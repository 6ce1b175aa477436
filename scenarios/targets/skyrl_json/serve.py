"""The API server of SkyRL with its JAX engine and the tiny model of this project, on the CPU. Its engine is started with this Python in place of
`uv run`, which needs a checkout of SkyRL. Usage: python serve.py SCENARIOS PORT
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.update(JAX_PLATFORMS="cpu", HF_HUB_OFFLINE="1")

import uvicorn
from skyrl.tinker import api
from skyrl.tinker.config import EngineConfig, config_to_argv


def model_folder(scenarios: Path, into: Path) -> Path:
    """One folder with the weights and the tokenizer, as transformers loads them."""
    folder = into / "tiny"
    folder.mkdir()
    for part in ("model", "tokenizer"):
        for file in (scenarios / part).iterdir():
            if file.name != "README.md":
                (folder / file.name).symlink_to(file.resolve())
    return folder


def engine_command(parent: list[str], config: EngineConfig) -> list[str]:
    return [sys.executable, "-m", "skyrl.tinker.engine", *config_to_argv(config)]


def main(scenarios: Path, port: int) -> None:
    work = Path(tempfile.mkdtemp(prefix="skyrl-"))
    os.chdir(work)
    model_folder(scenarios, work)
    api._build_uv_run_cmd_engine = engine_command
    api.app.state.engine_config = EngineConfig(
        base_model="tiny",
        backend="jax",
        backend_config={"max_lora_adapters": 300, "max_lora_rank": 8},
        checkpoints_base=work / "checkpoints",
        database_url=f"sqlite:///{work / 'tinker.db'}",
        session_cleanup_interval_sec=-1,
    )
    uvicorn.run(api.app, host="127.0.0.1", port=port, log_level="warning")


main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
