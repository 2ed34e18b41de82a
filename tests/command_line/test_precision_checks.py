"""Precisions that a module's weights do not survive."""

import pytest
from lightning.pytorch.plugins import Precision

from tests.fitting import fitted, recipe
from tests.stopping import results


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


class Mine(Precision):
    """A precision of one's own, which says nothing of what it does."""


PLUGINS = {
    "lightning.pytorch.plugins.precision.DoublePrecision": "64-true",
    f"{__name__}.Mine": "Mine (32-true)",
}


@pytest.mark.parametrize(("kind", "named"), PLUGINS.items())
def test_a_precision_plugin_sets_the_precision_and_no_option_contradicts_it(run_cli, kind, named):
    plugin = ("--trainer.plugins", kind)
    output = fitted(run_cli("fit", *plugin, "--trainer.max_epochs", "1"))
    assert f"precision {named}, " in output
    assert "(--trainer.plugins and --model.channels_last pin them)" in output
    assert results()["precision"] == named
    fitted(run_cli("fit", *plugin))
    assert run_cli("test", *plugin)[0] == 0
    assert results()["test_reads"] == 1


def test_a_plugin_with_options_sets_it(run_cli):
    options = {"precision": "bf16-mixed", "device": "cpu"}
    plugin = ["--trainer.plugins", "lightning.pytorch.plugins.MixedPrecision"]
    plugin += [f"--trainer.plugins.{key}={value}" for key, value in options.items()]
    assert "precision bf16-mixed, " in fitted(run_cli("fit", *plugin))


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_precision_beside_a_plugin_is_refused(run_cli, command):
    plugin = ("--trainer.plugins", f"{__name__}.Mine")
    status, output, problems = run_cli(command, *plugin, "--trainer.precision", "32-true")
    assert (status, output) == (2, "")
    assert problems == (
        "error: --trainer.precision 32-true: --trainer.plugins Mine sets the precision, too; leave"
        " one of them out, or write null for it\n"
    )


def test_a_test_in_a_precision_of_ones_own_is_of_no_record(run_cli):
    fitted(run_cli("fit"))
    before = results()
    status, output, _ = run_cli("test", "--trainer.plugins", f"{__name__}.Mine")
    assert status == 0
    assert "tested in Mine (32-true), which may round the weights of a run in " in output
    assert "test_acc" not in results()
    assert results()["precision"] == before["precision"]
