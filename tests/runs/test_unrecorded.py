"""Notes of tests that left no record; real ones are in tests/commands."""

import pytest

from lit_mnist.errors import UserError
from lit_mnist.runs import unrecorded
from lit_mnist.runs.folder import Run

SAME = {"weights_sha256": "ab", "options_sha256": "cd"}


def test_a_reason_holds_until_a_condition_changes(tmp_path):
    run = Run(tmp_path)
    assert unrecorded.reason(run, SAME) == ""
    run.update_results(status="complete")
    unrecorded.note(run, "it was NaN", SAME)
    assert run.results()["status"] == "complete"
    assert unrecorded.reason(run, SAME) == "it was NaN"
    for name in SAME:
        assert unrecorded.reason(run, SAME | {name: "other"}) == ""


def test_a_damaged_note_is_refused(tmp_path):
    run = Run(tmp_path)
    run.update_results(test_unrecorded={"reason": 3})
    with pytest.raises(UserError, match="its entry test_unrecorded is of the wrong kind"):
        unrecorded.reason(run, SAME)
