"""What a list of checkpoints shows of their publication, and what it leaves open."""

import pytest

from rollout_conformance.steps.profiles.training.listing_expectations import Public
from rollout_conformance.steps.profiles.training.tests.test_judging import response, verdicts, view_of

PATH = "tinker://m/weights/one"


@pytest.mark.parametrize(
    ("entries", "public", "found"),
    [
        ([{"tinker_path": PATH, "public": True}], True, ["Satisfied"]),
        ([{"tinker_path": PATH, "public": False}], False, ["Satisfied"]),
        ([{"tinker_path": PATH, "public": False}], True, ["Finding"]),
        ([{"tinker_path": PATH, "public": True}], False, ["Finding"]),
        ([{"tinker_path": PATH, "public": "yes"}], True, ["Finding"]),
        (
            [{"tinker_path": "tinker://m/weights/two", "public": True}, {"tinker_path": PATH, "public": False}],
            False,
            ["Satisfied"],
        ),
    ],
)
def test_an_entry_is_public_or_not(entries: list[object], public: bool, found: list[str]) -> None:
    view = view_of(response("saved", 0, {"path": PATH}), response("listing", 1, {"checkpoints": entries}))
    assert verdicts(view, Public(of=("listing",), public=public)) == found


@pytest.mark.parametrize("entries", [[], [{"tinker_path": PATH}], [{"tinker_path": PATH, "public": None}]])
def test_a_list_that_does_not_show_it_accuses_no_one(entries: list[object]) -> None:
    view = view_of(response("saved", 0, {"path": PATH}), response("listing", 1, {"checkpoints": entries}))
    assert "Finding" not in verdicts(view, Public(of=("listing",), public=True))


def test_a_publication_that_was_rejected_shows_nothing() -> None:
    saved, listing = (
        response("saved", 0, {"path": PATH}),
        response("listing", 1, {"checkpoints": [{"tinker_path": PATH, "public": False}]}),
    )
    view = view_of(saved, listing, response("published", 2, {"error": "no"}, status=403))
    assert "Finding" not in verdicts(view, Public(of=("listing",), public=True, provided=("published",)))
