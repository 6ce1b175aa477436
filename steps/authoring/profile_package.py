"""The package of a new profile: the files of the page "Add a profile", under another name. A copy of the page is shipped beside this module."""

import re
from collections.abc import Mapping
from pathlib import Path

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES

PAGE = Path(__file__).parent / "beginnings" / "add_a_profile.md"
FILE = re.compile(r"^```(?:yaml|python|gherkin|toml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
# Where the page has the name of its profile; its verb `echo` and the path of its server keep theirs.
PLACES = re.compile(
    r"(?<![\w-])echo(?=_profile\b|-profile\b)|(?<=name=\")echo(?=\")|(?<=^profile: )echo$|(?<=^)echo(?= = \")"
    r'|(?<="a greeting", ")echo(?=")|(?<=`)echo(?=`: a server)|(?<=profile `)echo(?=`)',
    re.MULTILINE,
)
IDS = re.compile(r"\bECHO(?=-\d|_MUTANT)")


def files(name: str) -> Mapping[str, str]:
    """The text of each file, by its path. Raises `SuiteError` for a name that a profile cannot have."""
    if NAME.fullmatch(name) is None:
        raise SuiteError(
            f"--name {name!r}: the name of a profile, by default that of its folder, is small letters and digits, such as `reranker`."
        )
    if name in PROFILES:
        raise SuiteError(f"--name {name}: there is a profile of this name. Choose another one.")
    page = PAGE.read_text(encoding="utf-8")
    return {_renamed(path, name): _renamed(text, name) for path, text in FILE.findall(page)}


def _renamed(text: str, name: str) -> str:
    return IDS.sub(name.upper(), PLACES.sub(name, text))


def write(folder: Path, name: str) -> None:
    """Write the package. Raises `SuiteError` for a folder that exists: nothing is overwritten."""
    made = files(name)
    try:
        folder.mkdir(parents=True)
        for path, text in made.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        with (folder / f"{name}_profile" / "__init__.py").open("x", encoding="utf-8"):
            pass
    except FileExistsError:
        raise SuiteError(f"{folder} exists, and is not overwritten.") from None
    except OSError as error:
        raise SuiteError(f"{folder}: cannot be written: {error.strerror}") from error
