"""The page in a real browser: opened from disk, clicked, filtered, by keyboard, on a telephone, without JavaScript, with hostile texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_page.beside import beside
from rollout_conformance.steps.report_page.page import Sources, render
from rollout_conformance.steps.report_page.tests import reports
from rollout_conformance.steps.report_page.tests.browser import opened, running
from rollout_conformance.steps.report_page.tests.test_page import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
PROFILE = PROFILES["rollout"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with running() as found:
        yield found


def drawn(report: Path, other: Path | None = None) -> Path:
    """The page of a report, beside it."""
    this = report_file.read(report)
    both = beside(this, report_file.read(other)) if other else None
    page = report.with_suffix(".html")
    page.write_text(
        "".join(render(this, Sources(PROFILE.catalogue, PROFILE.closing, lambda one: f"t{one}", both))),
        encoding="utf-8",
    )
    return page


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return drawn(reports.ordinary(tmp_path / "run.ndjson"))


def names(page: "Page") -> list[str]:
    return [text.strip() for text in page.locator(".row-name").all_inner_texts()]


def fits(page: "Page") -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_the_cases_are_listed_failed_first_and_filtered(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        assert [name.splitlines()[0] for name in names(found.page)] == [
            "one fails",
            "two warns",
            "three is silent",
            "five passes",
            "four is skipped",
        ]
        found.page.locator("#search").fill("WARNS")
        assert names(found.page) == ["two warns"]
        assert found.page.evaluate("location.hash") == "#cases?q=WARNS"
        found.page.get_by_role("button", name="Clear").click()
        found.page.locator("button.facet-value", has_text="callback").click()
        assert names(found.page) == ["five passes"]
        found.at("cases?verdict=fail")
        found.page.get_by_text("1 of 5 cases").wait_for()
        assert names(found.page) == ["one fails"]
        found.at("cases?requirement=ROLLOUT-013")
        found.page.locator(".row-name", has_text="two warns").wait_for()
        assert names(found.page) == ["two warns"]


def test_of_many_cases_the_first_are_shown_and_more_on_request(browser: "Browser", tmp_path: Path) -> None:
    cases = [reports.case(f"case {n}") for n in range(100)]
    results = [reports.result(one["id"], "pass") for one in cases]
    with opened(browser, drawn(reports.written(tmp_path / "run.ndjson", results, cases))) as found:
        assert len(names(found.page)) == 60
        found.page.get_by_role("button", name="40 more cases").click()
        assert len(names(found.page)) == 100


def test_backends_have_lanes_of_their_own(browser: "Browser", tmp_path: Path) -> None:
    asked = reports.exchange(0, True, "/v1/chat/completions", {}, {}, 0.0)
    behind = {
        **reports.exchange(0, False, "/v1/chat/completions", {}, {}, 0.02),
        "part": "a",
        "fault": "reset by the backend",
    }
    case = reports.case("a")
    played = reports.result(case["id"], "pass", trace={"exchanges": [asked], "backends": [behind], "events": []})
    page = drawn(reports.written(tmp_path / "run.ndjson", [played], [case], profile="router"))
    with opened(browser, page) as found:
        found.at("case-0").locator("#case-title").wait_for()
        assert found.page.locator(".sequence-head b").all_inner_texts() == ["client", "router", "backend a"]
        assert "200, reset by the backend" in found.page.locator(".moment.response").last.inner_text()
        found.page.locator(".moment", has_text="POST").nth(1).click()
        assert "router → backend a" in found.page.locator(".inspector").inner_text()


def test_from_a_cause_to_the_exchange_that_proves_it(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        found.page.locator("article.broken").first.get_by_role("link", name="one fails").click()
        found.page.locator("h1#case-title", has_text="one fails").wait_for()
        note = found.page.locator(".note")
        assert "messages[1].tool_call_id null" in note.inner_text()
        accused = found.page.locator(".inspector .accused")
        assert accused.inner_text() == "tool_call_id: null"
        found.page.get_by_role("button", name="see #1").click()
        assert found.page.locator(".inspector h3").inner_text().startswith("#1 POST")
        found.page.get_by_role("tab", name="curl").click()
        assert "curl -i -X 'POST'" in found.page.locator(".inspector pre").inner_text()
        found.page.get_by_role("tab", name="response").click()
        found.page.locator(".inspector .headers-of summary").click()
        assert "application/json" in found.page.locator(".inspector .headers").inner_text()
        assert found.page.evaluate("location.hash") == "#case-4/1"


def test_every_exchange_stands_in_its_lane_at_its_time(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        found.at("case-4")
        found.page.locator("#case-title").wait_for()
        assert found.page.locator(".sequence-head b").all_inner_texts() == ["trainer", "rollout server"]
        lanes = found.page.locator(".lane-name").all_inner_texts()
        assert [lane.replace("\n", " ") for lane in lanes][:3] == [
            "trainer → rollout server request",
            "rollout server → trainer generation",
            "rollout server → trainer callback",
        ]
        times = [float(one) for one in found.page.locator(".moment .moment-at").all_inner_texts()]
        assert times == sorted(times)
        assert found.page.locator(".moment.request").count() == 5
        assert "chunk 0, 45 bytes" in found.page.locator(".moment.piece").first.inner_text()
        assert found.page.locator(".tick").count() == 2
        lefts = found.page.evaluate(
            "[...document.querySelectorAll('.lane-bar.generation')].map(bar => parseFloat(bar.style.left))"
        )
        assert lefts == pytest.approx([20 / 0.918, 40 / 0.918, 60 / 0.918], abs=0.1)


def test_time_is_scrubbed_by_slider_and_by_step(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        found.at("case-4")
        slider = found.page.get_by_role("slider", name="Time in the case")
        slider.focus()
        found.page.keyboard.press("Home")
        assert found.page.locator(".moment.later").count() == found.page.locator(".moment").count() - 1
        assert found.page.locator(".inspector h3").inner_text().startswith("#0")
        found.page.get_by_role("button", name="later").click()
        found.page.get_by_role("button", name="later").click()
        assert found.page.locator(".inspector h3").inner_text().startswith("#1")
        found.page.get_by_role("button", name="all", exact=True).click()
        assert found.page.locator(".moment.later").count() == 0


def test_tokens_are_aligned_and_what_departs_is_marked(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        found.at("case-4")
        strips = found.page.locator(".tokens")
        assert "1 with a prompt that departs" in strips.inner_text()
        first = strips.locator(".turn").first.locator(".cell.sampled").first
        assert first.inner_text().split() == ["t4", "4", "-0.2500", "1"]
        aligned = found.page.locator(".aligned .strip")
        assert aligned.nth(0).locator(".differs .cell-id").all_inner_texts() == ["4"]
        assert aligned.nth(1).locator(".differs .cell-id").all_inner_texts()[0] == "9"
        assert "at token 3: what the turn before sampled was rendered otherwise" in strips.inner_text()


def test_a_mask_stands_below_the_tokens_that_it_is_about(browser: "Browser", tmp_path: Path) -> None:
    """Turn 2 inserts two tokens, and its mask has one value: the token without a value is marked, without a click."""
    first = reports.exchange(1, False, "/v1/chat/completions", {}, reports.generated([1, 2, 3], "a"), 0.1)
    prompt = [1, 2, 3, *reports.SAMPLED, 8, 9]
    second = reports.exchange(
        2, False, "/v1/chat/completions", {"response_mask": [0]}, reports.generated(prompt, "b"), 0.2
    )
    case = reports.case("a")
    played = reports.result(case["id"], "pass", trace={"exchanges": [first, second], "left_out": 0, "events": []})
    with opened(browser, drawn(reports.written(tmp_path / "run.ndjson", [played], [case]))) as found:
        found.at("case-0").locator("#case-title").wait_for()
        strips = found.page.locator(".tokens")
        assert "2 ids, 1 value of the response_mask" in strips.inner_text()
        assert strips.locator(".cell.missing").inner_text().split() == ["t9", "9", "none"]


def test_a_filter_shows_as_many_cases_as_it_says(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        buttons = found.page.locator(".facet[aria-label='verdict'] button")
        for n in range(buttons.count()):
            said = int(buttons.nth(n).inner_text().split()[-1])
            buttons.nth(n).click()
            found.page.wait_for_function("n => document.querySelectorAll('.row').length === n", arg=said)
            buttons.nth(n).click()


def test_everything_is_reached_by_keyboard(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as found:
        keys = found.page.keyboard
        keys.press("/")
        found.page.locator("#search:focus").wait_for()
        keys.type("fails")
        found.page.get_by_text("1 of 5 cases").wait_for()
        found.page.locator(".row a").first.focus()
        keys.press("Enter")
        found.page.locator("h1#case-title").wait_for()
        assert found.page.evaluate("document.activeElement.id") == "case-title"
        found.page.locator(".moment").first.focus()
        keys.press("ArrowDown")
        keys.press("Enter")
        assert found.page.locator(".moment").nth(1).get_attribute("aria-pressed") == "true"
        keys.press("Escape")
        found.page.locator("#case[hidden]").wait_for(state="attached")
        assert found.page.evaluate("document.activeElement.getAttribute('href')") == "#case-4"
        found.page.locator("#search").fill("")
        found.page.locator("body").evaluate("() => document.activeElement.blur()")
        keys.press("j")
        found.page.locator("h1", has_text="one fails").wait_for()
        keys.press("j")
        found.page.locator("h1", has_text="two warns").wait_for()
        keys.press("k")
        found.page.locator("h1", has_text="one fails").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser: "Browser", page: Path, width: int, scheme: str) -> None:
    with opened(browser, page, width, 844, color_scheme=scheme) as found:
        assert fits(found.page)
        found.at("case-4")
        found.page.locator("#case-title").wait_for()
        found.page.locator(".moment").first.click()
        assert fits(found.page)
        ground = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(18, 19, 21)") is (scheme == "dark")


def test_the_theme_can_be_chosen(browser: "Browser", page: Path) -> None:
    with opened(browser, page, color_scheme="light") as found:
        button = found.page.get_by_role("button", name="Theme")
        button.click()
        button.click()
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 21)"


def test_two_runs_stand_side_by_side(browser: "Browser", tmp_path: Path) -> None:
    this = reports.ordinary(tmp_path / "run.ndjson", backend="scripted")
    page = drawn(this, reports.ordinary(tmp_path / "live.ndjson", backend="live"))
    with opened(browser, page) as found:
        found.at("case-4")
        found.page.locator("#case-title").wait_for()
        assert found.page.locator(".played").count() == 2
        tops = found.page.evaluate(
            "[...document.querySelectorAll('.played')].map(one => one.getBoundingClientRect().top)"
        )
        assert tops[0] == tops[1]
        found.page.get_by_role("button", name="live", exact=True).click()
        assert found.page.locator(".played").count() == 1


def test_without_javascript_the_findings_are_there(browser: "Browser", page: Path) -> None:
    with opened(browser, page, 390, 844, java_script_enabled=False) as found:
        text = found.page.locator("body").inner_text()
        assert "Not fit to train on: 1 requirement is broken." in text
        assert text.count("messages[1].tool_call_id null") == 2
        assert "five passes" in text


def test_an_aborted_run_says_so_first(browser: "Browser", tmp_path: Path) -> None:
    report = reports.ordinary(tmp_path / "run.ndjson")
    report.write_text("".join(report.read_text().splitlines(keepends=True)[:-1]))
    with opened(browser, drawn(report)) as found:
        assert "Aborted: the run died" in found.page.get_by_role("alert").inner_text()


def test_hostile_texts_do_nothing(browser: "Browser", tmp_path: Path) -> None:
    cases, results = [], []
    for n, text in enumerate(HOSTILE):
        cases.append({**reports.case(f"{n}{text}", text), "at": text, "requirements": [text]})
        found = {**reports.cited(text, [1]), "requirement": text, "rerun": text, "expected": text}
        results.append(reports.result(cases[-1]["id"], "fail", [found], reason=text, trace=reports.trace(text)))
    page = drawn(
        reports.written(tmp_path / "run.ndjson", results, cases, target=HOSTILE[0], environment={"x": HOSTILE[1]})
    )
    with opened(browser, page, 390, 844) as seen:
        assert fits(seen.page)
        for n in range(len(HOSTILE)):
            seen.at(f"case-{n}")
            seen.page.locator(f'.case-view[data-case="{n}"]').wait_for()
            assert fits(seen.page)
        assert seen.page.evaluate("document.querySelectorAll('img, iframe').length") == 0
