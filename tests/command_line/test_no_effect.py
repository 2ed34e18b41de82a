"""Options that have no effect, as the option is off on which they depend."""

from pathlib import Path

import pytest

from lit_mnist.commands import jobs
from lit_mnist.main import main
from lit_mnist.models import ClassifierModule, DenseModule
from lit_mnist.models.nets import Dense

BRIEF = ("--trainer.fast_dev_run", "1")
NEAREST = ("--data.interpolation", "nearest")


class OnlyANet(ClassifierModule):
    net_type = Dense


class Impatient(DenseModule):
    """Uses the option for something of its own."""

    def on_train_epoch_end(self):
        self.trainer.should_stop = self.current_epoch >= self.patience


class Half(DenseModule):
    """Uses the option in a property."""

    @property
    def half(self):
        return self.patience / 2


class Borrowed(DenseModule):
    """Its method is another module's function."""

    on_train_epoch_end = Impatient.on_train_epoch_end


def make_net(patience: int = 3) -> DenseModule:
    """Makes a module; uses the option in any way."""
    return DenseModule(patience=patience)


class Eager(DenseModule):
    """Another default, which its constructor passes on."""

    def __init__(self, patience: int = 1, plateau: bool = False):
        super().__init__(patience=patience, plateau=plateau)


def refused(answer, option, needs):
    line = f"error: {option}: has no effect without {needs}; leave it out, or add that\n"
    assert (answer[0], answer[2]) == (2, line)


@pytest.mark.parametrize(
    ("option", "value", "needs"),
    [
        ("--model.patience", "1", "--model.plateau true"),
        ("--model.factor", "0.25", "--model.plateau true"),
        ("--model.min_lr", "0.0001", "--model.plateau true"),
        ("--data.interpolation", "nearest", "--data.augment true"),
        ("--trainer.gradient_clip_algorithm", "value", "--trainer.gradient_clip_val"),
    ],
)
def test_a_typed_option_is_refused(run_cli, option, value, needs):
    refused(run_cli("fit", option, value, *BRIEF), f"{option} {value}", needs)
    whole = option.replace("--model.", "--model.init_args.")
    refused(run_cli("fit", f"{whole}={value}", *BRIEF), f"{option} {value}", needs)
    switch, on = [*needs.split(), "1"][:2]
    assert run_cli("fit", option, value, switch, on, *BRIEF)[0] == 0


@pytest.mark.parametrize(
    ("typed", "named", "needs"),
    [
        ("--data={interpolation: nearest}", "--data.interpolation nearest", "--data.augment true"),
        (
            "--trainer={gradient_clip_algorithm: value}",
            *("--trainer.gradient_clip_algorithm value", "--trainer.gradient_clip_val"),
        ),
        (
            "--model={class_path: DenseModule, init_args: {patience: 1}}",
            *("--model.patience 1", "--model.plateau true"),
        ),
    ],
)
def test_it_is_refused_in_a_group_that_is_typed_as_a_dict(run_cli, typed, named, needs):
    refused(run_cli("fit", typed, *BRIEF), named, needs)


def test_a_typed_option_is_refused_whose_switch_is_off_now(run_cli):
    typed = ("--model.patience", "2", "--model.plateau", "false")
    answer = run_cli("fit", *typed, *BRIEF, config="simple_plateau")
    refused(answer, "--model.patience 2", "--model.plateau true")


def test_a_config_s_option_is_refused_unless_another_switches_it_on(run_cli, here):
    Path("mine.yaml").write_text("data:\n  interpolation: nearest\n")
    mine = ("--config", "mine.yaml")
    refused(run_cli("fit", *mine, *BRIEF), "--data.interpolation nearest", "--data.augment true")
    assert run_cli("fit", *mine, *BRIEF, config="simple_augmented")[0] == 0


def test_what_shipped_configs_give_may_be_switched_off(run_cli):
    off = ("--data.augment", "false", "--model.plateau", "false")
    for config in ("deep", "quickstart"):
        assert run_cli("fit", *off, *BRIEF, config=config)[0] == 0


def test_defaults_pass(run_cli):
    defaults = ("--model.patience", "3", "--data.interpolation", "bilinear")
    assert run_cli("fit", *defaults, *BRIEF)[0] == 0


def test_a_run_that_has_the_option_is_resumed(fitted, run_cli):
    config = Path("tb_logs/dense/seed_42/config.yaml")
    text = config.read_text()
    assert "patience: 3" in text
    text = text.replace("patience: 3", "patience: 1").replace("bilinear", "nearest")
    config.write_text(text)
    typed = ("--model.patience", "1", *NEAREST)
    assert run_cli("fit", *typed, "--trainer.max_epochs", "3")[0] == 0
    assert len(config.with_name("metrics.csv").read_text().splitlines()) == 1 + 3
    assert run_cli("fit", *typed, "--seed_everything", "1", *BRIEF)[0] == 0  # a further member
    answer = run_cli("fit", "--model.patience", "2", *BRIEF)
    refused(answer, "--model.patience 2", "--model.plateau true")
    elsewhere = ["fit", "--config", str(config), "--log_dir", "elsewhere", *BRIEF]
    assert main(elsewhere) == 0  # as it has all options


def test_a_user_s_own_methods_may_use_any_option(run_cli):
    for kind in ("Impatient", "Half", "Borrowed", "make_net"):
        model = ("--model", f"{__name__}.{kind}", "--model.patience", "1")
        assert run_cli("fit", *model, *BRIEF)[0] == 0, kind
    model = ("--model", f"{__name__}.OnlyANet", "--model.patience", "1")
    refused(run_cli("fit", *model, *BRIEF), "--model.patience 1", "--model.plateau true")
    assert run_cli("fit", "--model", f"{__name__}.Eager", *BRIEF)[0] == 0


def test_a_file_of_a_group_may_hold_what_is_switched_off(run_cli, here, small_data):
    Path("data.yaml").write_text("augment: true\ninterpolation: nearest\n")
    options = ("--data", "data.yaml", "--data.augment", "false")
    assert run_cli("fit", *options, *BRIEF)[0] == 0
    answer = run_cli("fit", *options, *NEAREST, *BRIEF)
    refused(answer, "--data.interpolation nearest", "--data.augment true")


def test_doctor_tells(run_cli):
    status, output, _ = run_cli("doctor", *NEAREST)
    assert status == 2
    assert "--data.interpolation nearest: has no effect without --data.augment true" in output


def test_jobs_share_options_that_suit_some_of_them(run_cli, monkeypatch):
    monkeypatch.setenv(jobs.MARK, "1")
    assert run_cli("fit", *NEAREST, *BRIEF)[0] == 0


def test_a_committee_is_refused_before_a_member_is_trained(run_cli, here):
    answer = run_cli("committee", "--members", "2", *NEAREST)
    refused(answer, "--data.interpolation nearest", "--data.augment true")
    assert not list(here.iterdir())


@pytest.mark.parametrize("limit", ["limit_train_batches", "limit_val_batches"])
def test_a_limit_that_overfit_batches_overrides_is_refused(run_cli, here, limit):
    overfit = ("--trainer.overfit_batches", "1")
    for value in ("0", "2", "1.0"):
        answer = run_cli("fit", *overfit, f"--trainer.{limit}", value)
        line = (
            f"error: --trainer.{limit} {value}: has no effect with {' '.join(overfit)}, which sets"
        )
        assert (answer[0], answer[2]) == (2, f"{line} it; leave one of them out\n")
    assert not Path("tb_logs").exists()
    for value in ("1", "null"):
        assert run_cli("fit", *overfit, f"--trainer.{limit}", value, *BRIEF)[0] == 0
    assert (
        run_cli("fit", "--trainer.overfit_batches", "0", f"--trainer.{limit}", "2", *BRIEF)[0] == 0
    )


def test_a_run_with_a_limit_that_is_overridden_is_resumed(fitted, run_cli):
    config = Path("tb_logs/dense/seed_42/config.yaml")
    text = config.read_text()
    for name, before, value in (("limit_val", "null", 2), ("overfit", "0.0", 1)):
        assert f"{name}_batches: {before}" in text
        text = text.replace(f"{name}_batches: {before}", f"{name}_batches: {value}")
    config.write_text(text)
    typed = ("--trainer.overfit_batches", "1", "--trainer.limit_val_batches", "2")
    assert run_cli("fit", *typed, *BRIEF)[0] == 0
