"""Limits of no batches or of some: partial evaluations are marked and not recorded."""

from pathlib import Path

import pytest
from PIL import Image

from tests.trained import contents

MEMBER = Path("tb_logs/dense/seed_42")
SMALL_BATCHES = ("--data.eval_batch_size", "20")


@pytest.fixture
def pictures(here):
    """Options that name three pictures, each of one garment or letter."""
    paths = [str(here / f"{name}.png") for name in "abc"]
    for path in paths:
        image = Image.new("L", (28, 28))
        image.paste(255, (8, 8, 14, 20))
        image.save(path)
    return ["--data.eval_batch_size", "1", "--data.images", *paths]


@pytest.mark.parametrize(
    ("command", "stage"), [("validate", "val"), ("test", "test"), ("predict", "predict")]
)
def test_a_limit_of_no_batches_is_refused(call, command, stage):
    before = contents()
    for none in ("0", "0.0"):
        status, output, problems = call(command, f"--trainer.limit_{stage}_batches", none)
        assert (status, output) == (2, "")
        assert problems.startswith(f"error: --trainer.limit_{stage}_batches 0: no image would be")
        assert problems.count("\n") == 1
    assert contents() == before


def test_a_partial_score_is_marked(call):
    for command, stage, there in (("validate", "val", 5), ("test", "test", 6)):
        status, output, problems = call(
            command, f"--trainer.limit_{stage}_batches=2", *SMALL_BATCHES
        )
        assert (status, problems) == (0, "")
        assert f"(of 2 of {there} batches)" in output
        assert "batches)" not in call(command, *SMALL_BATCHES)[1]


def test_partially_read_pictures_write_no_results(call, pictures):
    before = contents()
    status, output, problems = call("predict", "--trainer.limit_predict_batches", "2", *pictures)
    assert (status, problems) == (0, "")
    assert "2 of 3 digits were read: nothing is written" in output
    status, output, _ = call("predict", "--trainer.fast_dev_run", "9", *pictures)
    assert status == 0
    assert "fast_dev_run: nothing is written" in output
    assert contents() == before
    assert call("predict", *pictures)[0] == 0
    assert (MEMBER / "digits.csv").read_text().count("\n") == 4


def test_test_limits_do_not_affect_a_complete_run(call):
    for option in ("limit_test_batches", "limit_predict_batches", "num_sanity_val_steps"):
        status, output, problems = call("fit", f"--trainer.{option}", "2")
        assert (status, problems) == (0, "")
        assert "is complete" in output
