"""The catalogue is sound, and one that is not says where and what to write instead."""

import re
from pathlib import Path

import pytest

from rollout_conformance.contracts.requirements import LEVELS, CatalogueError, Requirement, load

CATALOGUES = sorted(Path(__file__).parents[1].glob("*/requirements.yaml"))
LONGEST_WHY = 140
ROLLOUT = load(Path(__file__).parents[1] / "rollout" / "requirements.yaml")

SMALL = """\
profile: rollout
dialects: {sync: one answer, callback: two}
topics: {start: the beginning}
capabilities: {tools: it has some}
requirements:
- id: ROLLOUT-001
  sentence: The server MUST begin.
  level: must
  dialects: [sync]
  topic: start
  source: "purpose: to begin"
  judged: it begins
  judged_by: [case]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requirements.yaml"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parent.name)
def test_every_catalogue_loads(path: Path) -> None:
    assert load(path)


def test_the_numbers_of_the_rollout_server_are_complete_and_in_order() -> None:
    trainer_side = {141, *range(178, 201)}
    numbers = [
        *(n for n in range(1, 206) if n not in trainer_side),
        *range(206, 232),
        *range(240, 246),
        *range(270, 291),
        *range(300, 305),
    ]
    assert [*ROLLOUT] == [f"ROLLOUT-{n:03}" for n in numbers]


def test_a_requirement_without_a_judge_says_why() -> None:
    silent = [id for id, entry in ROLLOUT.items() if entry.not_judged]
    assert silent == [f"ROLLOUT-{n:03}" for n in (12, 16, 39, 43, 92, 157, 171)]


def test_a_source_names_where_the_sentence_comes_from() -> None:
    kinds = ("protocol: ", "observed defect: ", "purpose: ", "RFC ", "OpenAI chat API", "JSON Schema", "contract: ")
    assert [entry.id for entry in ROLLOUT.values() if not entry.source.startswith(kinds)] == []


LONGEST_WHY = 140


def test_each_requirement_of_the_rollout_server_says_why_in_one_line() -> None:
    whys = {id: entry.why or "" for id, entry in ROLLOUT.items()}
    assert [id for id, why in whys.items() if not 0 < len(why) <= LONGEST_WHY or "\n" in why] == []


def test_what_is_judged_says_by_what() -> None:
    assert [entry.id for entry in ROLLOUT.values() if bool(entry.judged) != bool(entry.judged_by)] == []


@pytest.mark.parametrize("profile", ["trainer", "chat", "router"])
def test_every_requirement_says_in_one_line_what_goes_wrong_without_it(profile: str) -> None:
    catalogue = load(Path(__file__).parents[1] / profile / "requirements.yaml")
    whys = {id: entry.why or "" for id, entry in catalogue.items()}
    assert [id for id, why in whys.items() if not why or len(why) > LONGEST_WHY or "\n" in why] == []
    assert [id for id, why in whys.items() if "MUST" in why or why in catalogue[id].sentence] == []


def test_what_only_one_dialect_has_is_asked_of_that_dialect_only() -> None:
    for entry in ROLLOUT.values():
        if "response_mask" in entry.sentence and "MUST NOT send `response_mask`" not in entry.sentence:
            assert entry.dialects == ("sync",), entry.id
        if entry.topic == "completion" and entry.judged:
            assert "sync" not in entry.dialects, entry.id


def test_an_entry_becomes_a_frozen_value(file: Path) -> None:
    file.write_text(SMALL)
    assert load(file) == {
        "ROLLOUT-001": Requirement(
            id="ROLLOUT-001",
            sentence="The server MUST begin.",
            level="must",
            dialects=("sync",),
            topic="start",
            source="purpose: to begin",
            why=None,
            judged="it begins",
            judged_by=("case",),
            not_judged=None,
            accepts=(),
            decision=None,
            needs=(),
        )
    }


def test_scalars_are_text_as_written(file: Path) -> None:
    file.write_text(SMALL + "  accepts: [422, no, 12:30]\n")
    assert load(file)["ROLLOUT-001"].accepts == ("422", "no", "12:30")


def test_levels_go_from_strong_to_weak() -> None:
    assert LEVELS == ("must", "should", "may")


MORE = "  needs: [tools]\n"

WRONG = {
    "unknown level": ("level: must", "level: shall", "level: saw 'shall'; write one of must, should, may"),
    "unknown key": (MORE, "  need: [tools]\n", "need: saw a key that does not exist; write one of id, sentence, level"),
    "missing key": ("  topic: start\n", "", "topic: saw nothing; write it, the key is required"),
    "empty text": ("  topic: start\n", "  topic:\n", "topic: saw ''; write some text"),
    "empty list": ("[sync]", "[]", "dialects: saw []; write at least one item"),
    "not a list": ("[sync]", "sync", "dialects: saw 'sync'; write a list"),
    "unknown dialect": ("[sync]", "[snyc]", "dialects: saw 'snyc'; write one of sync, callback"),
    "unknown topic": ("topic: start", "topic: end", "topic: saw 'end'; write one of start"),
    "unknown need": ("[tools]", "[tool]", "needs: saw 'tool'; write one of tools"),
    "other word": ("MUST", "SHOULD", "saw SHOULD at level must; write MUST and no other of these words"),
    "no word": ("MUST", "must", "saw no such word at level must; write MUST and no other of these words"),
    "two words": ("begin.", "begin and MAY stop.", "saw MAY and MUST at level must; write MUST"),
    "no judge": ("  judged: it begins\n", "", "saw neither of judged and not_judged; write one of them"),
    "two judges": (MORE, "  not_judged: too dark\n", "saw both of judged and not_judged; write one of them"),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_entry_is_named_with_its_file_and_what_to_write(file: Path, old: str, new: str, said: str) -> None:
    file.write_text((SMALL + MORE).replace(old, new))
    with pytest.raises(CatalogueError) as refused:
        load(file)
    found = re.match(rf"{re.escape(str(file))}:(\d+): ROLLOUT-001: (?P<key>\w+): ", str(refused.value))
    if found is not None and (
        lines := [n for n, line in enumerate(file.read_text().splitlines(), 1) if line.startswith(f"  {found['key']}:")]
    ):
        assert int(found[1]) in lines  # else that of the entry, which lacks it
    assert said in str(refused.value)


FIRST, _, ENTRY = SMALL.partition("- id")
BROKEN = {
    "same id twice": (SMALL + "- id" + ENTRY, ": ROLLOUT-001: saw this id twice; write a new number"),
    "other profile": (SMALL.replace("ROLLOUT-", "CHAT-"), ": CHAT-001: saw an id of another profile; write ROLLOUT-"),
    "bad id": (SMALL.replace("-001", "-1"), ": ROLLOUT-1: id: saw 'ROLLOUT-1'; write capitals, a dash"),
    "no id": (SMALL.replace("id: ROLLOUT-001", "name: x"), ": entry 1: id: saw nothing; write it"),
    "entry is text": (FIRST + "- text\n", ": entry 1: the file: saw 'text'; write "),
    "no entries": (
        FIRST.replace("requirements:", "requirements: []"),
        ": requirements: saw []; write at least one item",
    ),
    "unknown section": (SMALL + "extras: {}\n", ": extras: saw a key that does not exist; write one of profile, words"),
    "not a mapping": ("- a\n", ": the file: saw ['a']; write "),
    "same key twice": (SMALL + "  level: may\n", ":14: the key 'level' appears twice in one mapping; write it once"),
    "not YAML": (SMALL + "  source: 'open\n", ":15: found unexpected end of stream"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_with_its_place(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(CatalogueError) as refused:
        load(file)
    assert re.search(rf"{re.escape(str(file))}(:\d+)?{re.escape(said)}", str(refused.value))


def test_all_wrong_entries_are_named_at_once(file: Path) -> None:
    file.write_text(SMALL.replace("[sync]", "[other]") + "- id" + ENTRY.replace("-001", "-002").replace("start", "end"))
    with pytest.raises(CatalogueError) as refused:
        load(file)
    assert str(refused.value).splitlines() == [
        f"{file}:9: ROLLOUT-001: dialects: saw 'other'; write one of sync, callback",
        f"{file}:18: ROLLOUT-002: topic: saw 'end'; write one of start",
    ]
