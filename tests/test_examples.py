"""The examples, run as their README says: trained, killed, resumed and tested."""

import csv
import itertools
import json
import os
import re
import runpy
import shlex
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.optim.lr_scheduler import OneCycleLR

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx
from lit_mnist.main import main
from lit_mnist.runs.trained_on import fingerprint_of
from tests import holding
from tests.conftest import SMALL, digits
from tests.warm import Program

ROOT = Path(__file__).parent.parent
README = (ROOT / "examples" / "README.md").read_text()
LINES = [shlex.split(line) for line in re.findall(r"^python .*", README, re.M)]
EPOCHS = 3
QUICK = (
    *("--data.batch_size", "60", "--trainer.accelerator", "cpu"),
    *("--trainer.max_epochs", str(EPOCHS)),
)


def readme_lines(name):
    """The README's commands for a run: fit, test, committee."""
    lines = [line for line in LINES if "--name" in line and line[line.index("--name") + 1] == name]
    assert [line[2] for line in lines] == ["fit", "test", "committee"]
    return lines


PATHS = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def words(line, *options):
    """The arguments of a command in the README, in another working folder."""
    return [str(ROOT / word) if (ROOT / word).is_file() else word for word in line[1:]] + [*options]


def call(line, *options):
    process = Program(words(line, *options), **PATHS)
    output, problems = process.communicate()
    assert process.returncode == 0, problems
    return output


@pytest.fixture
def call_here(in_process, no_pictures, monkeypatch, capsys):
    """Runs commands and trains members in this process, with the user's modules importable."""

    def call(line, *options):
        monkeypatch.syspath_prepend(ROOT)
        capsys.readouterr()
        status = main(words(line, *options)[1:])
        output, problems = capsys.readouterr()
        assert status == 0, problems
        return output

    return call


def kill_within(line, folder, *options):
    """Kills a `fit` once its first epoch is on disk."""
    process = Program(words(line, *options), before=holding.after_two_epochs, **PATHS)
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert results(folder)["status"] == "running"  # there is something to go on with


def results(folder):
    return json.loads((folder / "results.json").read_text())


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def learn(name, *options, call=call):
    """Runs fit, kill, resume, test and committee; returns the first member's folder."""
    fit, _, committee = readme_lines(name)
    folder = Path(f"tb_logs/{name}/seed_42")
    kill_within(fit, folder, *QUICK, *options)
    output = call(committee, *QUICK, *options, "--jobs", "2")  # resumes, tests, averages
    assert "resuming after epoch" in output
    assert [int(row["epoch"]) for row in rows(folder)] == list(range(EPOCHS))
    whole = results(Path(f"tb_logs/{name}/committee_2"))
    members = [results(Path(f"tb_logs/{name}/seed_{seed}")) for seed in (42, 43)]
    for own, member in zip(members, whole["members"], strict=True):
        assert own["status"] == "complete"
        # in the committee, a member is what it is by itself
        assert member["test_errors"] == own["test_errors"]
        assert member["test_loss"] == pytest.approx(own["test_loss"], abs=1e-6)
        assert own["test_acc"] > 0.5  # of ten classes
    assert whole["test_images"] == members[0]["test_images"] == 101
    return folder


@pytest.mark.parametrize("name", ["my_net", "my_recipe", "my_data", "my_script"])
def test_an_example_has_fewer_than_30_lines(name):
    assert len((ROOT / "examples" / f"{name}.py").read_text().splitlines()) < 30


def test_the_example_net(small_data, here):
    data = ("--data.dataset", SMALL, "--data.data_dir", str(small_data))
    learn("tiny", *data)
    (mixed,) = [line for line in LINES if "EnsembleModule" in line]
    call(mixed, *data, "--trainer.accelerator", "cpu")  # no module of a user's is imported there
    own, other = (results(Path("tb_logs") / name / "committee_2") for name in ("tiny", "mixed"))
    assert own["test_loss"] == other["test_loss"]
    config = (Path("tb_logs") / "tiny" / "committee_2" / "config.yaml").read_text()
    assert "examples.my_net.TinyModule" in config  # so that it can be tested again


def test_the_example_recipe(small_data, here, call_here):
    data = ("--data.dataset", SMALL, "--data.data_dir", str(small_data))
    folder = learn("cycle", *data, call=call_here)
    steps = EPOCHS * 9  # 500 images, 60 a step
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    cycle = OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    rates = []
    for _ in range(steps):
        rates.append(cycle.get_last_lr()[0])
        optimizer.step()
        cycle.step() if len(rates) < steps else None
    found = [float(row["lr"]) for row in rows(folder)]
    assert found == pytest.approx(rates[8::9], rel=1e-5)  # the last that an epoch was trained with
    assert max(found) > 0.009


def test_the_example_dataset(here, call_here):
    (convert,) = [line for line in LINES if line[1] == "examples/my_data.py"]
    for seed, (split, count) in enumerate({"train": 600, "test": 101}.items()):
        for place, (image, label) in enumerate(zip(*digits(count, seed), strict=True)):
            path = Path(f"my_digits/{split}/{int(label)}/{place}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.numpy()).save(path)
    assert "test: 101 images" in call(convert)
    learn("mine", call=call_here)


def test_the_example_dataset_reads_images_as_predict_does(here, capsys, monkeypatch):
    ink = np.zeros((28, 28), np.uint8)  # black, with a bar of it on transparent ground
    ink[4:24, 12:16] = 200
    for split, digit in itertools.product(("train", "test"), range(10)):
        Path(f"mine/{split}/{digit}").mkdir(parents=True)
        transparent = Image.fromarray(np.dstack([np.zeros((28, 28, 3), np.uint8), ink]))
        transparent.save(f"mine/{split}/{digit}/one.png")
        Path(f"mine/{split}/{digit}/notes.txt").write_text("no image")
    script = str(ROOT / "examples" / "my_data.py")
    monkeypatch.setattr("sys.argv", [script, "mine", "data"])
    runpy.run_path(script)
    assert "test: 10 images" in capsys.readouterr().out
    for split in DATASETS["EMNIST"].files.values():
        images, labels = (read_idx(DATASETS["EMNIST"].folder(Path("data")) / one) for one in split)
        assert (images == torch.from_numpy(ink.T)).all()
        assert labels.tolist() == list(range(10))
    Path("mine/test/9/broken.png").write_text("no image")
    with pytest.raises(SystemExit, match=r"^cannot read 'mine/test/9/broken\.png'"):
        runpy.run_path(script)


def test_the_example_script(small_data, here, monkeypatch, capsys):
    """A subclass of the data module, under Lightning's own Trainer."""
    monkeypatch.setattr("sys.argv", ["my_script.py", str(small_data), SMALL])
    ran = runpy.run_path(str(ROOT / "examples" / "my_script.py"))
    assert ran["trainer"].callback_metrics["test_acc"] > 0.5
    (path,) = here.rglob("*.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    assert fingerprint_of(checkpoint)["dataset"] == SMALL  # though saved as that of NoisyData


def test_an_option_of_a_net_of_one_s_own_reaches_it(call_here, here, hard_data, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    monkeypatch.syspath_prepend(here)
    Path("sized.py").write_text(code)
    options = ["--model", "sized.SizedModule", "--model.hidden", "16", "--name", "sized"]
    options += ["--data.dataset", SMALL, "--data.data_dir", str(hard_data), *QUICK]
    for command in ("fit", "test"):
        call_here(["python", "cli.py", command], *options)
    best = torch.load("tb_logs/sized/seed_42/checkpoints/best.ckpt", weights_only=True)
    assert best["state_dict"]["net.1.weight"].shape == (16, 784)
    assert best["hyper_parameters"]["hidden"] == 16
