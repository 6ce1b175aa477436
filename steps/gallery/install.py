"""Installs a target of the gallery into an environment of its own: a virtual environment, Node packages beside it, one `bin/` for both."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.gallery.entry import Entry, Install

STAMP = "installed.json"
LONGEST_S = 1800.0


def install(entry: Entry, home: Path) -> Path:
    """The folder of the environment; one that was made from the same packages is left as it is. Raises `SuiteError` when it cannot be made."""
    environment = (home / entry.name).absolute()
    stamp = environment / STAMP
    wanted = _fingerprint(entry.description.install)
    if stamp.is_file() and stamp.read_text() == wanted:
        return environment
    shutil.rmtree(environment, ignore_errors=True)
    if entry.description.install.module:
        _run([sys.executable, "-m", entry.description.install.module, str(environment)])
    (environment / "bin").mkdir(parents=True, exist_ok=True)
    _python_packages(entry.description.install, environment)
    _node_packages(entry.description.install, environment)
    stamp.write_text(wanted)
    return environment


def _fingerprint(packages: Install) -> str:
    text = packages.model_dump_json()
    return json.dumps({"packages": json.loads(text), "hash": hashlib.sha256(text.encode()).hexdigest()}, indent=1)


def _python_packages(packages: Install, environment: Path) -> None:
    if not packages.pip:
        return
    _run([interpreter(packages.python), "-m", "venv", str(environment)])
    pip = [
        str(environment / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    _run([*pip, *packages.pip])


def _node_packages(packages: Install, environment: Path) -> None:
    if not packages.npm:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SuiteError("npm is not installed. Install Node.js, or name other targets.")
    _run([npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(environment), *packages.npm])
    for program in (environment / "node_modules" / ".bin").glob("*"):  # not every package has programs
        (environment / "bin" / program.name).symlink_to(program)


def interpreter(version: str | None) -> str:
    """The CPython of this minor version: that of the suite, `pythonX.Y` on PATH, or one of pyenv. Raises `SuiteError` if there is none."""
    if version is None or sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    for candidate in _candidates(version):
        if _answers(candidate):
            return candidate
    raise SuiteError(f"CPython {version} is needed and not installed: no python{version} on PATH.")


def _candidates(version: str) -> list[str]:
    found = shutil.which(f"python{version}")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return [*([found] if found else []), *map(str, pyenv)]


def _answers(python: str) -> bool:
    return subprocess.run([python, "--version"], check=False, capture_output=True).returncode == 0  # noqa: S603 - a Python


def _run(words: list[str]) -> None:
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=LONGEST_S)  # noqa: S603 - pip or npm
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SuiteError(f"{' '.join(words)}: {error}") from error
    if done.returncode != 0:
        raise SuiteError(
            f"{' '.join(words)} ended with code {done.returncode}:\n{(done.stderr or done.stdout).strip()[-1500:]}"
        )
