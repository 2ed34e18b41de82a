"""Options and configs, given as a user gives them, on a small dataset."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.main import main
from tests.program_runs import equal, weights
from tests.stopping import RUN, results


def run_main(capsys, *arguments):
    capsys.readouterr()
    main(list(arguments))
    return capsys.readouterr().out


def test_the_saved_config_reproduces_the_run(run_cli, capsys):
    run_cli("fit", "--fresh", "--model.lr", "0.005")
    config = str(RUN / "config.yaml")
    assert main(["fit", "--config", config, "--name", "again"]) == 0
    assert "is complete" in run_main(capsys, "fit", "--config", config)  # and not trained afresh
    assert equal(weights(), weights(Path("tb_logs/again/seed_42")))


def printed(capsys, *options):
    with pytest.raises(SystemExit) as ended:
        main(["fit", *options, "--print_config"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_print_config_round_trips(here, capsys):
    first = printed(capsys, "--config", str(CONFIG), "--model.lr", "0.003")
    (here / "saved.yaml").write_text(first)
    assert printed(capsys, "--config", "saved.yaml") == first
    config = yaml.safe_load(first)
    assert config["name"] == "simple_plateau"
    assert config["model"]["init_args"]["lr"] == 0.003
    assert config["model"]["init_args"]["plateau"] is True


CONFIG = Path(__file__).parent.parent / "configs" / "simple_plateau.yaml"


def test_command_line_overrides_configs_in_any_order(here, capsys):
    for args in (
        ["--model.plateau", "false", "--config", str(CONFIG)],
        ["--config", str(CONFIG), "--model.plateau", "false"],
        ["--model.plateau=false", f"--config={CONFIG}"],
    ):
        config = yaml.safe_load(printed(capsys, *args))
        assert config["model"]["init_args"]["plateau"] is False  # the file says true
        assert config["name"] == "simple_plateau"


def test_command_line_overrides_a_checkpoint_s_hyperparameters(run_cli, four_epochs):
    start = str(RUN / "checkpoints" / "last.ckpt")
    run_cli("fit", "--name", "on", "--ckpt_path", start, "--trainer.max_epochs", "5")
    config = yaml.safe_load(Path("tb_logs/on/seed_42/config.yaml").read_text())
    assert config["model"]["init_args"]["lr"] == 0.001


def test_help_takes_less_than_a_second_without_torch():
    code = (
        "import sys; from lit_mnist.main import main; main(['--help']);"
        "print('torch' in sys.modules)"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent = os.times()  # of the processor, which tests beside this one keep busy
    assert sum(spent[2:4]) - sum(before[2:4]) < 1
    assert done.stdout.endswith("False\n")
    assert "fit --config deep" in done.stdout


def test_fast_dev_run_writes_nothing(run_cli):
    status, *_ = run_cli("fit", "--trainer.fast_dev_run", "true")
    assert status == 0
    assert not Path("tb_logs").exists()


def test_fast_dev_run_of_test_keeps_the_run_s_results(run_cli, fitted):
    before = results()
    status, output, _ = run_cli("test", "--trainer.fast_dev_run", "true")
    assert status == 0
    assert results() == before
    assert "no score is shown, as fast_dev_run writes nothing, nor a line in the ledger" in output
    assert "test_acc" not in output
    assert not (RUN / "ledger.csv").exists()
    assert "val_acc" in run_cli("validate", "--trainer.fast_dev_run", "true")[1]
    assert not (RUN / "predictions.csv").exists()


def test_max_epochs_0_ends_without_error(run_cli):
    status, _, problems = run_cli("fit", "--trainer.max_epochs", "0")
    assert (status, problems) == (0, "")


def test_home_is_found_where_no_shell_has_replaced_it(run_cli, here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    status, output, _ = run_cli("fit", "--log_dir=~/runs", "--trainer.max_epochs", "1")
    assert status == 0
    assert f"everything is in {here}/runs/dense/seed_42" in output
    assert {"best.ckpt", "last.ckpt"} == {
        path.name for path in (here / "runs/dense/seed_42/checkpoints").iterdir()
    }


def test_user_callbacks_are_added_to_the_program_s(run_cli):
    status, *_ = run_cli(
        "fit", "--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor"
    )
    assert status == 0
    assert (RUN / "checkpoints" / "best.ckpt").exists()
    events = EventAccumulator(str(RUN)).Reload()
    assert "lr-Adam" in events.Tags()["scalars"]


def test_early_stopping_completes_a_run(run_cli):
    options = (
        "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
        *("--trainer.callbacks.monitor", "val_acc", "--trainer.callbacks.mode", "max"),
        *("--trainer.callbacks.patience", "1", "--trainer.max_epochs", "30"),
    )
    run_cli("fit", *options)
    done = results()["epochs"]
    assert done < 30
    assert f"is complete: {done} epochs" in run_cli("fit", *options)[1]


def test_precision_and_layout_are_printed_recorded_and_kept(run_cli, monkeypatch):
    short = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1")
    short += ("--data.batch_size", "10", "--data.eval_batch_size", "10")
    monkeypatch.setattr("lit_mnist.machine.hardware._fast_bfloat16", lambda: True)
    run_cli("fit", *short, "--trainer.max_epochs", "1", config="simple")
    folder = Path("tb_logs/simple/seed_42")
    monkeypatch.setattr(
        "lit_mnist.machine.hardware._fast_bfloat16", lambda: False
    )  # another machine
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    status, output, _ = run_cli("fit", *short, "--trainer.max_epochs", "2", config="simple")
    assert status == 0
    assert "resuming after epoch 0" in output
    assert "precision bf16-mixed, channels last" in output
    recorded = results(folder)
    assert (recorded["precision"], recorded["channels_last"]) == ("bf16-mixed", True)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["model"]["init_args"]["channels_last"] is True
    status, output, _ = run_cli("fit", "--fresh", *short, config="simple")
    assert "precision 32-true, channels first" in output


def test_precision_and_layout_can_be_pinned(run_cli):
    short = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1")
    short += ("--data.batch_size", "10", "--data.eval_batch_size", "10")
    pins = ("--trainer.precision", "bf16-mixed", "--model.channels_last", "false")
    status, output, _ = run_cli("fit", *short, *pins, config="simple")
    assert status == 0
    assert "precision bf16-mixed, channels first" in output
    status, _, problem = run_cli("fit", *short, "--trainer.precision", "32-true", config="simple")
    assert status == 2
    assert "trainer.precision: bf16-mixed, now 32-true" in problem
