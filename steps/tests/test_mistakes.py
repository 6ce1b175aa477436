"""A slip of an author is told with its place before anything is played: it must never become an accusation of the target."""

from pathlib import Path

import pytest

from rollout_conformance.steps import lint
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.tests.lint_told import Told as Told
from rollout_conformance.steps.tests.lint_told import told as told

FEATURE = """Feature: F

  @ROLLOUT-112
  Scenario: one
    Given the policy calls add with {"a": 5, "b": 3}
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
"""
OUTLINE = (
    FEATURE.replace("Scenario:", "Scenario Outline:").replace("reason stop", "reason <why>")
    + "\n    Examples:\n      | why |\n"
)
HELD = 'the policy answers "Done." when "go" is released'
CASE = """cases:
- name: one
  requirements: [ROLLOUT-112]
  trainer: [{call: any}, {text: Done.}]
  expect: [{completed: stop}, {generation_requests: 2}]
"""
CHAT = """cases:
- name: one
  requirements: [CHAT-050]
  steps: [{chat: {user: Hello!}}]
  expect: [{status: 200}]
"""
CHAT_FEATURE = """Feature: F

  @CHAT-050
  Scenario: one
    When the client sends "Hello!"
    Then the JSON member "a" of the response is 1
"""
ROUTER = """cases:
- name: one
  requirements: [ROUTER-003]
  steps: [{backends: [500, Done.]}, {chat: {user: Hello!}}]
  expect: [{status: 200}]
"""
TRAINER = """cases:
- name: one
  requirements: [TRAINER-188]
  steps: [start_rollout, generate]
  expect: [{generation_status: 200}]
"""


@pytest.mark.parametrize("text", [CASE, CHAT, ROUTER, TRAINER])
def test_what_is_right_is_right(told: Told, text: str) -> None:
    assert told("yaml", text) == []


@pytest.mark.parametrize(
    "text",
    [
        FEATURE,
        "\ufeff" + FEATURE,
        FEATURE.replace("\n", "\r\n"),
        OUTLINE + "      | stop |\n",
        FEATURE.replace("Scenario: one", "Scenario: " + "x" * 500),
        FEATURE.replace("@ROLLOUT-112", "@ROLLOUT-112 @my-team @nightly @needs:own_flights @callback"),
        FEATURE.replace('the policy answers "Done."', 'the policy answers "Done." when "never" is released'),
        FEATURE.replace('add with {"a": 5, "b": 3}', 'add with the text "5 and 3"'),
        FEATURE.replace(
            "And the policy answers",
            "And the start request has the unknown member x_future 1\n    And the policy answers",
        ),
    ],
)
def test_what_is_harmless_is_taken(told: Told, text: str) -> None:
    assert told("feature", text) == []


@pytest.mark.parametrize(
    ("seen", "wrong", "where", "says"),
    [
        ('{"a": 5, "b": 3}', '{"a": 5, b: 3}', "5:5", "the arguments are not JSON"),
        ('{"a": 5, "b": 3}', '{"a": 5} and divide with {"a": 1}', "5:5", "the policy calls these tools in one turn:"),
        ('the policy answers "Done."', HELD, "6:5", '"go" is held and never released'),
        ("And the rollout ends", 'And "og" is released\n    And the rollout ends', "8:5", 'nothing is held under "og"'),
        ("reason stop", "reason stopp", "9:5", "unknown finish reason 'stopp'. Did you mean stop?"),
        (
            "the policy answers",
            "the trainer returns 999\n    And the policy answers",
            "6:5",
            "fail: this is at most 599; seen: 999",
        ),
        (
            "the rollout completes",
            "the start request is rejected with 4xx\n    And the rollout completes",
            "9:5",
            "this is a whole number",
        ),
        ("@ROLLOUT-112", "@rollout-112", "3:3", "ids are written in capitals, as ROLLOUT-112"),
        ("@ROLLOUT-112", "@ROLLOUT-112 @calback", "3:16", "unknown tag 'calback'. Did you mean callback?"),
        ("@ROLLOUT-112", "@ROLLOUT-112 @needs:calclator", "3:16", "Did you mean calculator"),
        ("@ROLLOUT-112", "@ROLLOUT-112 @variant:narow", "4:3", "unknown variant 'narow'. Did you mean narrow?"),
        ("@ROLLOUT-112", "@ROLLOUT-112 @need:tools", "3:16", "Did you mean needs:...?"),
        ("Scenario: one", "Scenario:", "4:3", "the scenario has no title"),
        (
            "And the policy",
            "And the start request has max_turn 1\n    And the policy",
            "6:5",
            "Did you mean max_turns?",
        ),
        ("the trainer starts the rollout", "the rollout ends", "7:5", "waits for the rollout before it is started"),
        ("Given the policy calls", "Gievn the policy calls", "6:1", "is a keyword misspelt there?"),
        ("    When the trainer starts the rollout\n    And the rollout ends\n", "", "4:3", "Write a When"),
        ("reason stop", 'reason "stop"', "9:5", "Write it as: the rollout completes with finish reason stop"),
        ("reason stop", "reason \u2018stop\u2019", "9:5", "Write it as: the rollout completes with finish reason stop"),
        ("And the rollout ends", "And The rollout  ends.", "8:5", "Write it as: the rollout ends"),
        ('answers "Done."', "answers \u201cDone.\u201d", "6:5", 'Write it as: the policy answers "Done."'),
        (
            "the rollout completes",
            'the tool result is "8"\n    And the rollout completes',
            "9:5",
            "write the number, 8",
        ),
        (
            "And the rollout ends",
            "When the trainer starts the rollout\n    And the rollout ends",
            "8:5",
            "the rollout is started twice",
        ),
        (
            "reason stop",
            "reason stop\n    When the trainer resends the start request",
            "10:5",
            "this stands below a Then (line 9), which is judged when the whole scenario has ended",
        ),
    ],
)
def test_a_slip_in_prose_is_told(told: Told, seen: str, wrong: str, where: str, says: str) -> None:
    assert seen in FEATURE
    lines = told("feature", FEATURE.replace(seen, wrong))
    assert any(line.startswith(f"{where}:") and says in line for line in lines), lines


@pytest.mark.parametrize(
    ("ending", "text", "where", "says"),
    [
        (
            "feature",
            OUTLINE.replace("| why |", "| what |") + "      | stop |\n",
            "9:5",
            "no column 'why'; they have: what",
        ),
        ("feature", OUTLINE + "      | stop |\n      | stop |\n", "14:7", "this row is called as that of line 13"),
        ("feature", OUTLINE, "4:3", "an outline without rows"),
        ("feature", "\n".join(FEATURE.splitlines()[:4]), "4:3", "the scenario has no steps"),
        ("feature", FEATURE.replace("calls add with {", "answers {").replace("}", '}"', 1), "5:5", "no phrase for"),
        ("feature", 'Feature: f\n  Scenario: s\n    Given a\n      """\n      b\n', "6:1", 'close it with """'),
        ("feature", "Feature: f\0", "1:11", "is no text file"),
        ("yaml", CASE + "---\n" + CASE, "6:1", "write one document a file"),
        ("yaml", CASE + "- <<: {name: two}\n", "6:3", "merge keys"),
        ("yaml", CASE.replace("- name: one", "- name:"), "2:3", "this is a text"),
        ("yaml", "cases: !!python/object/apply:os.system [ls]\n", "1:8", "is not read; remove it"),
        ("yaml", "cases:\n\t- name: x\n", "2:1", "a tab; indent with spaces"),
        (
            "yaml",
            CASE.replace("{text: Done.}", "{say: Done.}"),
            "4:27",
            "unknown key 'say'. Known here: text, call, calls, fail",
        ),
        ("yaml", "", "1:1", "write `cases:` and a case below it"),
    ],
)
def test_a_broken_file_is_told(told: Told, ending: str, text: str, where: str, says: str) -> None:
    lines = told(ending, text)
    assert any(line.startswith(f"{where}:") and says in line for line in lines), lines


@pytest.mark.parametrize(
    ("seen", "wrong", "where", "says"),
    [
        ("{text: Done.}", "{fail: 999}", "4:27", "at most 599"),
        ("{text: Done.}", "{fail: 99}", "4:27", "at least 100"),
        ("{text: Done.}", "{fail: {status: 700}}", "4:26", "at most 599"),
        ("{text: Done.}", "{text: Done., delay_s: 100000}", "4:40", "at most 60"),
        ("{text: Done.}", "{text: Done., delay_s: .inf}", "4:40", "a number that can be reached"),
        ("{text: Done.}", "{text: Done., delay_s: -1}", "4:40", "at least 0"),
        ("{text: Done.}", "{text: Done., put: {a.99.b: 3}}", "4:26", "the reply has no 'a' there"),
        ("{text: Done.}", "{text: Done., put: {choices.1.x: 3}}", "4:26", "'1' is no place in a list of 1"),
        ("{text: Done.}", "{text: Done., put: {choices.0.x: .nan}}", "4:26", "cannot be sent as JSON"),
        ("{text: Done.}", "{text: Done., drop: [usag]}", "4:26", "the reply has no 'usag' there"),
        ("{text: Done.}", "{text: Done., hold: go}", "4:26", "held and never released"),
        ("{call: any}", "{call: {name: add, arguments: '[1]'}}", "4:13", "no JSON object"),
        ("{call: any}", "{call: {name: add, arguments: '{\"a\": NaN}'}}", "4:13", "NaN is no JSON"),
        ("{call: any}", "{call: {name: add, argument: {}}}", "4:13", "Did you mean arguments"),
        ("{call: any}", "{call: ayn}", "4:13", "Did you mean any?"),
        ("{generation_requests: 2}", "{generation_requests: two}", "5:31", "exactly: "),
        ("{generation_requests: 2}", "{generation_requests: -1}", "5:31", "-1 is less than 0"),
        ("{generation_requests: 2}", "{generation_requests: {leest: 2}}", "5:31", "Did you mean least?"),
        (
            "{generation_requests: 2}",
            "{generation_requests: {most: 2}}",
            "5:31",
            "this is a number, or {least: 1, most: 3}",
        ),
        ("{generation_requests: 2}", "{failed: {http_status: 999}}", "5:31", "999 is no status of HTTP"),
        ("{generation_requests: 2}", "{final_message_roles: [user, asistant]}", "5:31", "Did you mean assistant?"),
        ("{generation_requests: 2}", "{status: 200}", "5:31", "expects the response to a request that is not sent"),
        ("{generation_requests: 2}", "{ended: two}", "5:31", "unknown rollout 'two'"),
        ("{generation_requests: 2}", "{}", "5:31", "one expectation has one key; seen: none"),
        ("{completed: stop}", "{completed: {finish_reasons: 3}}", "5:12", "finish_reasons: "),
        (
            "  trainer:",
            "  steps: [wait_for_end, start]\n  trainer:",
            "4:11",
            "waits for the rollout before it is started",
        ),
        ("  trainer:", "  steps: [start, {wait_for_silence: .nan}]\n  trainer:", "4:18", "nan is no number"),
        (
            "  trainer:",
            "  steps: [{resend_start: {change: {max_turn: 1}}}]\n  trainer:",
            "4:11",
            "Did you mean max_turns?",
        ),
        ("  trainer:", "  acks: [999]\n  trainer:", "4:10", "at most 599"),
        ("  trainer:", "  start: {max_turn: 1}\n  trainer:", "4:3", "write `unknown: {max_turn: ...}`"),
        ("  trainer:", "  start: {without: [max_turn]}\n  trainer:", "4:3", "Did you mean max_turns?"),
        ("  trainer:", "  start: {unknown: {max_turns: 1}}\n  trainer:", "4:3", "write it without `unknown`"),
        ("  trainer:", "  dialects: [calback]\n  trainer:", "4:3", "unknown dialect 'calback'. Did you mean callback?"),
        ("  trainer:", "  needs: [calclator]\n  trainer:", "4:3", "Did you mean calculator"),
        ("  trainer:", "  tags: [nigthly]\n  trainer:", "4:3", "Did you mean nightly?"),
        ("  trainer:", "  variant: nosuch\n  trainer:", "2:3", "unknown variant 'nosuch'. Known: impatient, brief"),
        ("ROLLOUT-112]", "ROLLOUT-144]\n  dialects: [sync]", "4:3", "ROLLOUT-144 is one of callback, routed"),
    ],
)
def test_a_slip_in_data_is_told(told: Told, seen: str, wrong: str, where: str, says: str) -> None:
    assert seen in CASE
    lines = told("yaml", CASE.replace(seen, wrong))
    assert any(line.startswith(f"{where}:") and says in line for line in lines), lines


@pytest.mark.parametrize(
    ("text", "seen", "wrong", "says"),
    [
        (CHAT, "{status: 200}", "{status: 999}", "999 is no status of HTTP"),
        (CHAT, "{status: 200}", "{status: {of: thrid}}", "unknown response 'thrid'"),
        (CHAT, "{status: 200}", "{status: {of: second}}", "the case sends 1 request(s) before"),
        (CHAT, "user: Hello!", "usre: Hello!", "Did you mean user"),
        (CHAT, "user: Hello!", "user: 5", "user: "),
        (CHAT, "user: Hello!", "user: Hello!, stop: [a]", "As a member of the request: `body: {stop: ...}`."),
        (CHAT, "user: Hello!", "user: Hello!, body: {seed: .inf}", "cannot be sent as JSON"),
        (ROUTER, "500", "999", "999 is no status of HTTP"),
        (ROUTER, "500", "{delay_s: .inf}", "inf is no number"),
        (ROUTER, "500", "{stauts: 500}", "Did you mean status"),
        (ROUTER, "Done.", "{members: {x: .nan}}", "cannot be sent as JSON"),
        (ROUTER, "[500, Done.]", "{text: Done., hold: true}", "no step releases them"),
        (ROUTER, ", {chat: {user: Hello!}}", "", "no request is sent to the router"),
        (ROUTER, "{status: 200}", "{backend_requests: {backend: e}}", "unknown word 'e'"),
        (TRAINER, "start_rollout, ", "", "no rollout was started before this step"),
        (TRAINER, "start_rollout,", "{start_rollout: {first_responses: 999}},", "999 is no status of HTTP"),
        (TRAINER, "start_rollout,", "{start_rollout: {tools: [ad]}},", "Did you mean add?"),
        (TRAINER, "{generation_status: 200}", "{generation_status: 4yx}", "write 422, or 4xx"),
        (
            TRAINER,
            "{generation_status: 200}",
            "{generation_status: {statuses: 200, rollout: b}}",
            "unknown rollout 'b'",
        ),
    ],
)
def test_a_slip_in_a_case_of_another_profile_is_told(told: Told, text: str, seen: str, wrong: str, says: str) -> None:
    assert seen in text
    lines = told("yaml", text.replace(seen, wrong))
    assert any(says in line and line[0].isdigit() for line in lines), lines


def test_all_slips_of_a_file_are_told_at_once(told: Told) -> None:
    wrong = FEATURE.replace("starts", "startet").replace("ends", "endet").replace("stop", "st op")
    assert [line.partition(":")[0] for line in told("feature", wrong) if "no phrase for" in line] == ["7", "8", "9"]
    wrong = (
        CASE.replace("any", "ayn")
        .replace("ROLLOUT-112", "ROLLOUT-912")
        .replace("generation_requests", "generation_request")
    )
    assert len(told("yaml", wrong)) == 3


def test_a_slip_in_a_text_block_is_told_at_its_own_line(told: Told) -> None:
    block = 'the trainer\'s next response is:\n      """\n      text: Done.\n      hodl: go\n      """\n'
    lines = told("feature", FEATURE.replace('the policy answers "Done."\n', block))
    assert lines == ["9:7: hodl: unknown key 'hodl'. Did you mean hold?"]


@pytest.mark.parametrize("text", [CASE, FEATURE])
def test_no_message_speaks_python(told: Told, text: str) -> None:
    ending = "yaml" if text is CASE else "feature"
    wrong = [
        text.replace(word, other) for word in ("stop", "2", "any", "Done.", "5") for other in ("[]", "{x: 1}", "null")
    ]
    said = "\n".join(line for one in wrong for line in told(ending, one))
    assert not [
        word
        for word in ("__init__", "argument after", "pydantic", "rollout_conformance.steps.", "NoneType", "positional")
        if word in said
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dialects: [calback]\n", "x.yaml:1:12: dialects.0: unknown dialect 'calback'. Did you mean callback?"),
        ("capabilities: [rewrd]\n", "x.yaml:1:16: capabilities.0: unknown capability 'rewrd'. Did you mean reward"),
        ("patience_s: .inf\n", "x.yaml:1:1: patience_s: "),
        ("patience_s: 100000\n", "x.yaml:1:1: patience_s: this is at most 120"),
        ("generation_timeout_s: .nan\n", "x.yaml:1:1: generation_timeout_s: "),
    ],
)
def test_a_slip_on_a_card_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    profile = PROFILES["rollout"]
    with pytest.raises(SuiteError) as error:
        cards.load(file, profile.card, profile.dialects, profile.unknown_capability)
    assert says in str(error.value)


def test_a_card_may_declare_what_is_its_own(tmp_path: Path, told: Told) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("capabilities: [own_flights, reward]\nvariants: {mine: {env: {A: b}}}\n", encoding="utf-8")
    case = tmp_path / "case.yaml"
    case.write_text(CASE.replace("  trainer:", "  variant: mine\n  trainer:"), encoding="utf-8")
    assert lint.of_files([case], None, card).problems == []
    assert lint.of_files([case], None, None).problems != []


def test_mistakes_in_members_and_in_verbs_are_told_at_once(told: Told) -> None:
    lines = told("yaml", CASE.replace("{text: Done.}", "{texts: Done.}").replace("completed: stop", "complete: stop"))
    assert [line.partition(" ")[2].partition("'")[0] for line in lines] == [
        "cases.0.trainer.1.texts: unknown key ",
        "cases.0.expect.0: unknown expectation ",
    ]


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ('the assistant says "Done."', 'given the policy answers "<text>"'),
        ('the policy replies with "Done."', 'given the policy answers "<text>"'),
        ("the trainer responds 503", "given the trainer returns <status>"),
    ],
)
def test_other_words_for_the_same_lead_to_the_sentence(told: Told, written: str, near: str) -> None:
    lines = told("feature", FEATURE.replace('the policy answers "Done."', written))
    assert f"near: {near}" in [line.strip() for line in lines[:3]]


def test_an_outline_without_rows_is_one_mistake(told: Told) -> None:
    (line,) = told("feature", OUTLINE.partition("\n    Examples:")[0])
    assert "an outline without rows would run once" in line


def test_a_near_sentence_has_its_quotes(told: Told) -> None:
    lines = told("feature", CHAT_FEATURE.replace('JSON member "a"', "JSON member a"))
    assert '    near: then the JSON member "<path>" of <of> is <one_of>' in lines
    assert told("feature", CHAT_FEATURE) == []


def test_two_rollouts_of_one_case_may_have_a_name_each(told: Told) -> None:
    text = CASE.replace("  expect: [{completed: stop}, {generation_requests: 2}]\n", "")
    steps = "  steps: [{start: a}, {start: b}, wait_for_end]\n  expect: [{completed: stop}]\n"
    trainer = text.replace(
        "  trainer: [{call: any}, {text: Done.}]",
        "  rollouts: {a: {trainer: [{text: A.}]}, b: {trainer: [{text: B.}]}}",
    )
    assert told("yaml", trainer + steps) == []


def test_yaml_may_end_in_yml(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(CASE, encoding="utf-8")
    for path in (file, tmp_path):
        found = lint.of_files([path], None, None)
        assert (found.problems, len(found.cases["rollout"])) == ([], 4)


def test_a_file_in_another_encoding_in_a_folder_is_told(tmp_path: Path) -> None:
    for ending, text in (("yaml", CASE), ("feature", FEATURE)):
        (tmp_path / f"a.{ending}").write_text(text, encoding="utf-16")
    problems = lint.of_files([tmp_path], None, None).problems
    assert [problem.partition(": ")[2].partition(":")[0] for problem in problems] == ["is not UTF-8 text"] * 2
