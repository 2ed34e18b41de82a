"""Precisions that a module's weights do not survive."""

import pytest

from tests.fitting import fitted, recipe


@pytest.mark.parametrize("command", ["fit", "test"])
@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_complex_weights_are_not_rounded_to_16_bits(run_cli, command, precision):
    odd = recipe("OddModule")
    status, output, problems = run_cli(command, *odd, "--trainer.precision", precision)
    option = f"error: --trainer.precision {precision}: would drop the imaginary part of net.filter;"
    assert (status, output) == (2, "")
    assert problems == f"{option} take 32-true\n"


def test_complex_weights_are_trained_in_other_precisions(run_cli):
    for precision in ("64-true", "bf16-mixed"):
        options = (*recipe("OddModule"), "--trainer.precision", precision, "--fresh")
        fitted(run_cli("fit", *options, "--trainer.max_epochs", "1"))
        fitted(run_cli("test", *recipe("OddModule")))
