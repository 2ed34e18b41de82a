"""The options of fit, validate, test and predict; more of their errors are in test_cli_errors."""

from pathlib import Path

import pytest
import yaml
from lightning.pytorch.accelerators import CPUAccelerator

from lit_mnist.command_line.parsed_options import parsed_options
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.main import main
from tests.fitting import fitted
from tests.stopping import assert_same_end, folder, results

CONFIG = str(Path(__file__).parents[2] / "configs" / "simple_plateau.yaml")


def printed(capsys, *options):
    with pytest.raises(SystemExit) as ended:
        main([*options, "--print_config"])
    assert ended.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


FORMS = (["--config", CONFIG], [f"--config={CONFIG}"], ["-c", CONFIG], [f"-c={CONFIG}"])


@pytest.mark.parametrize("form", [*FORMS, ["--config", "simple_plateau"]], ids=" ".join)
def test_the_run_takes_its_config_s_name_and_typed_options_win(form, here, capsys):
    config = printed(capsys, "fit", "--model.plateau", "false", *form)
    assert config["name"] == "simple_plateau"
    assert config["data"]["augment"] is True
    assert config["model"]["init_args"]["plateau"] is False  # the file says true


def test_a_strategy_s_class_needs_no_option_of_its_own(here, capsys):
    dotted = "lightning.pytorch.strategies.DDPStrategy"
    named = ["fit", "--model", "DenseModule", "--trainer.strategy", dotted]
    bare = printed(capsys, *named)["trainer"]["strategy"]
    given = printed(capsys, *named, "--trainer.strategy.dim", "0")["trainer"]["strategy"]
    assert bare == given
    assert (bare["class_path"], bare["init_args"]["dim"]) == (dotted, 0)
    Path("spread.yaml").write_text(f"trainer:\n  strategy: {dotted}\n")
    spread = ["fit", "--model", "DenseModule", "--config", "spread.yaml"]
    assert printed(capsys, *spread)["trainer"]["strategy"] == given
    for name in ("auto", "ddp", "nonsense"):  # Lightning's names, or for Lightning to refuse
        assert printed(capsys, *spread, "--trainer.strategy", name)["trainer"]["strategy"] == name


class Mine(CPUAccelerator):
    """An accelerator of one's own."""

    @staticmethod
    def name():
        return "mine"


def test_an_accelerator_s_class_trains_as_its_name_does(run_cli, capsys):
    one = ("--trainer.devices", "1", "--trainer.max_epochs", "1", "--trainer.precision", "32-true")
    one += ("--model.channels_last", "false")
    for name, accelerator in (("word", "cpu"), ("class", f"{__name__}.Mine")):
        fitted(run_cli("fit", *one, "--name", name, "--trainer.accelerator", accelerator))
    assert_same_end(folder("word"), folder("class"))
    named = ["fit", "--model", "DenseModule", "--trainer.accelerator"]
    parsed = printed(capsys, *named, f"{__name__}.Mine")["trainer"]["accelerator"]
    assert parsed["class_path"] == f"{__name__}.Mine"
    for name in ("auto", "cpu", "nonsense"):
        assert printed(capsys, *named, name)["trainer"]["accelerator"] == name


def test_the_precision_is_recorded_in_which_an_accelerator_of_ones_own_computes(run_cli):
    mixed = ("--trainer.max_epochs", "1", "--trainer.precision", "bf16-mixed")
    one = ("--trainer.accelerator", f"{__name__}.Mine", "--trainer.devices", "1")
    full = ("--trainer.precision", "32-true", "--name", "full")
    for options in ((*mixed, "--name", "word"), (*mixed, *one), (*mixed, *full)):
        fitted(run_cli("fit", *options))
    assert_same_end(folder("dense"), folder("full"))  # autocast is for CUDA alone
    recorded = [results(folder(name))["precision"] for name in ("word", "dense", "full")]
    assert recorded == ["bf16-mixed", "32-true", "32-true"]


def test_a_local_config_wins_over_the_shipped_one(here, capsys):
    Path("deep.yaml").write_text("model: DenseModule\n")
    config = printed(capsys, "fit", "--config", "deep")
    assert config["name"] == "deep"
    assert config["model"]["class_path"].endswith("DenseModule")


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        (["--conf", CONFIG], "--config"),
        ([f"--conf={CONFIG}"], "--config"),
        (["--print_conf"], "--print_config"),
        (["--seed", "3"], "--seed_everything"),
        (["--trainer.max_ep", "1"], "--trainer.max_epochs"),
        (["--data.augm", "true"], "--data.augment"),
        (["--model.plat", "true"], "plateau"),
        (["--model.hel", "DenseModule"], "help"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_an_abbreviated_option_is_refused_with_its_full_name(typed, full, here, capsys):
    assert main(["fit", "--config", "dense", *typed]) == 2
    output, problems = capsys.readouterr()
    assert output == ""
    assert problems.endswith(f"did you mean {full}?\n")
    assert problems.count("\n") == 1
    assert not list(here.iterdir())


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_help_names_the_program_as_it_was_called(command, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["/usr/bin/lit-mnist"])
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: lit-mnist {command} --config")


def test_help_lists_the_classes_that_a_user_may_name(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # or a long name might be broken
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    words = capsys.readouterr().out.replace(",", " ").replace(")", " ").split()
    assert "lightning.pytorch.callbacks.EarlyStopping" in words
    assert "lightning.pytorch.callbacks.EMAWeightAveraging" in words
    ours = {word for word in words if word.startswith("lit_mnist.")}
    assert "lit_mnist.models.DenseModule" in ours
    assert all(word.startswith("lit_mnist.models.") for word in ours)


@pytest.mark.parametrize("option", ["train", "val", "test", "predict"])
@pytest.mark.parametrize("value", ["1", "1.0", "0.5", "3"])
def test_an_integer_limit_is_a_number_of_batches_not_a_proportion(option, value, here, capsys):
    typed = f"--trainer.limit_{option}_batches={value}"
    found = printed(capsys, "fit", "--config", "dense", typed)["trainer"][f"limit_{option}_batches"]
    assert (type(found), str(found)) == (float if "." in value else int, value)


def test_a_command_line_does_not_affect_the_next(here, capsys):
    """The parser is built once per process."""
    callback = "--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor"
    first = printed(capsys, "fit", "--config", CONFIG)
    other = printed(capsys, "fit", "--config", "dense", "--model.lr", "0.5", callback)
    assert (other["name"], len(other["trainer"]["callbacks"])) == ("dense", 1)
    assert main(["fit", "--config", CONFIG, "--model.lr", "fast"]) == 2
    capsys.readouterr()
    assert printed(capsys, "fit", "--config", CONFIG) == first
    assert printed(capsys, "fit", "--model", "DenseModule")["name"] == "run"


def test_an_enumeration_is_printed_as_its_value(here, capsys):
    timer = ("--trainer.callbacks+=Timer", "--trainer.callbacks.duration=00:01:00:00")
    (found,) = printed(capsys, "fit", "--config", "dense", *timer)["trainer"]["callbacks"]
    assert found["init_args"]["interval"] == "step"


@pytest.mark.parametrize("group", ["data", "trainer"])
def test_a_single_option_overrides_the_file_of_its_group(here, capsys, group):
    option = {"data": "batch_size", "trainer": "max_epochs"}[group]
    Path("group.yaml").write_text(f"{option}: 33\n")
    typed = (f"--{group}.{option}", "64", f"--{group}", "group.yaml")
    assert printed(capsys, "fit", "--config", "dense", *typed)[group][option] == 64


def test_the_data_s_seed_follows_the_run_s_beside_a_config_of_an_earlier_run(here):
    Path("saved.yaml").write_text("model: DenseModule\nseed_everything: 42\ndata: {seed: 42}\n")
    for typed, seed in (((), 42), (("--seed_everything", "7"), 7)):
        options = parsed_options(RunSpec(("saved.yaml",), typed))
        assert (options["seed_everything"], options["data"]["seed"]) == (seed, seed)


@pytest.mark.parametrize("options", [["--data.seed", "5"], ["--config", "five.yaml"]])
def test_another_seed_of_the_data_is_refused(options, here, capsys):
    Path("five.yaml").write_text("model: DenseModule\ndata: {seed: 5}\n")
    assert main(["fit", "--model", "DenseModule", *options]) == 2
    assert "data.seed 5: follows --seed_everything; set that instead\n" in capsys.readouterr().err


def test_lightning_s_own_accelerator_is_the_word(run_cli):
    kind = "lightning.pytorch.accelerators.CPUAccelerator"
    typed = ("--trainer.precision", "bf16-mixed", "--trainer.max_epochs", "1")
    status, _, problems = run_cli("fit", *typed, "--trainer.accelerator", kind)
    assert (status, problems.count("Disabling autocast")) == (0, 0)
    assert (
        yaml.safe_load(Path("tb_logs/dense/seed_42/config.yaml").read_text())["trainer"][
            "accelerator"
        ]
        == "cpu"
    )
