"""What is told before training about a minimum that a maximum does not let it reach."""

import pytest

from tests.fitting import callback, fitted, recipe
from tests.stopping import results

LONG = ("--trainer.max_epochs", "4", "--trainer.max_steps")
BY_FOUR = ("--trainer.accumulate_grad_batches", "4")
TWO = "--trainer.max_epochs 2 ends training after"
THREE = "ends training before their 27 steps"


@pytest.mark.parametrize(
    ("minimum", "others", "told"),
    [
        (("min_steps", 99), (), f"{TWO} 18 steps"),
        (("min_steps", 18), (), ""),
        (("min_steps", 7), BY_FOUR, f"{TWO} 6 steps"),
        (("min_steps", 6), BY_FOUR, ""),
        (("min_steps", 3), (*LONG, "5"), ""),
        (("min_epochs", 3), (*LONG, "26"), f"--trainer.max_steps 26 {THREE}"),
        (("min_epochs", 3), (*LONG, "27"), ""),
    ],
)
def test_it_is_told_where_a_run_will_end_short_of_it(run_cli, minimum, others, told):
    (name, value), option = minimum, f"--trainer.{minimum[0]}"
    first, *rest = fitted(run_cli("fit", option, str(value), *others)).splitlines()
    assert not any("not be reached" in line for line in [first, *rest[2:]])  # but before epoch 0
    line = f"{option} {value} will not be reached: {told}; raise it to train on"
    assert (rest[1] == line) == ("will not be reached" in rest[1]) == bool(told)
    assert (results()[name.removeprefix("min_")] < value) == bool(told)


@pytest.mark.parametrize(
    "varying",
    [recipe("TwoOptimizers"), callback("GradientAccumulationScheduler", scheduling="{0: 2}")],
)
def test_nothing_is_told_where_the_steps_of_an_epoch_are_not_known(run_cli, varying):
    assert "will not" not in fitted(run_cli("fit", "--trainer.min_steps", "99", *varying))
