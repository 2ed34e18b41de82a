"""Bad input, as a user may give it: one line, and status 2."""

import re
from pathlib import Path

import pytest

from lit_mnist.main import main

BAD = {
    "misspelt option": (["--model.lrr", "1"], "there is no option lrr; did you mean lr?"),
    "misspelt group": (["--modle.lr", "1"], "there is no option --modle.lr"),
    "no such config": (["--config", "none.yaml"], "none.yaml"),
    "wrong type": (
        ["--trainer.max_epochs", "many"],
        "--trainer.max_epochs: expected int, got many",
    ),
    "batch size 0": (["--data.batch_size", "0"], "--data.batch_size: 0 is not >0"),
    "seed true": (["--seed_everything", "true"], "--seed_everything: 'true' is not an integer"),
    "seed 1.5": (["--seed_everything", "1.5"], "--seed_everything: '1.5' is not an integer"),
    "seed too large": (["--seed_everything", "4294967296"], "--seed_everything: 4294967296 is not"),
    "split seed": (["--data.split_seed", "-1"], "--data.split_seed: -1 is not"),
    "rate": (["--model.lr", "fast"], "--model.lr: 'fast' is not a number"),
    "dataset": (["--data.dataset", "MINST"], "got MINST"),
    "accelerator": (["--trainer.accelerator", "abacus"], "abacus"),
    "name": (["--name", "../up"], "--name ../up"),
    "class": (["--model", "DeepModule"], "there is no class DeepModule; did you mean"),
    "checkpoint": (["--ckpt_path", "none.ckpt"], "none.ckpt: no such checkpoint"),
}


@pytest.mark.parametrize(("options", "named"), BAD.values(), ids=BAD)
def test_bad_input_ends_in_one_line_and_status_2(run_cli, options, named):
    status, output, problems = run_cli("fit", *options)
    assert status == 2
    assert output == ""
    assert problems.startswith("error: ")
    assert named in problems
    assert problems.count("\n") == 1
    assert not Path("tb_logs").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("model: [1", "bad.yaml"),
        ("model:\n  class_path: DenseModul\n", "did you mean DenseModule?"),
        ("model:\n  class_path: DenseModule\n  init_args:\n    rate: 1\n", "no option rate"),
        ("trainer:\n  max_epoch: 1\n", "did you mean trainer.max_epochs?"),
        ("data:\n  batch_size: -1\n", "bad.yaml: --data.batch_size: -1 is not >0"),
        ("seed_everything: true\n", "seed_everything"),
        ("model: {class_path: DenseModule, init_args: null}\n", "init_args holds no options"),
        ("model: {class_path: DenseModule, lr: 0.1}\n", "belong below init_args"),
        ("trainer: {callbacks: [null]}\n", "expected the name of a class, got [None]"),
        ("trainer: {callbacks: [DenseModule]}\n", "there is no class DenseModule; see"),
        ("trainer: {callbacks: EarlyStopping}\n", "got lightning.pytorch.callbacks.EarlyStopping;"),
    ],
)
def test_a_bad_config_is_reported_by_name(here, capsys, text, named):
    (here / "bad.yaml").write_text(text)
    assert main(["fit", "--config", "bad.yaml", "--model", "DenseModule"][:3]) == 2
    problems = capsys.readouterr().err
    assert named in problems
    assert "bad.yaml" in problems
    assert problems.count("\n") == 1


def test_a_truncated_data_file_offline_is_one_line(run_cli, small_data, tmp_path):
    raw = tmp_path / "cut" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (small_data / "KMNIST" / "raw").iterdir():
        (raw / path.name).write_bytes(path.read_bytes()[:5000])
    status, _, problems = run_cli(
        "fit", "--data.data_dir", str(tmp_path / "cut"), "--data.download", "false"
    )
    assert status == 2
    assert problems.count("\n") == 1
    for path in raw.iterdir():
        assert path.name in problems
    assert not Path("tb_logs").exists()


def test_an_unknown_command_gets_a_suggestion(capsys):
    assert main(["tset"]) == 2
    assert capsys.readouterr().err == "error: tset: no such command; did you mean test?\n"


def test_a_folder_that_cannot_be_created_is_reported(run_cli, here):
    (here / "taken").write_text("a file")
    status, _, problems = run_cli("fit", "--log_dir", "taken")
    assert status == 2
    assert re.fullmatch(r"error: \S*taken\S*: .*\n", problems)


def test_a_working_folder_that_is_gone_is_named(run_cli, here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    for command in ("fit", "validate"):
        told = "error: the working folder is gone; change to one that exists\n"
        assert run_cli(command) == (2, "", told)


def test_a_machine_that_allows_no_more_threads_is_reported(run_cli, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        status, _, problems = run_cli("fit")
    assert status == 2
    remedy = "end other programs, or allow more with ulimit -u or -v"
    assert problems == f"error: can't start new thread; {remedy}\n"
    assert run_cli("fit")[0] == 0
