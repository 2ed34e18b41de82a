"""EnsembleModule: the predictions of a committee."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.main import main
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.nets import Dense
from lit_mnist.pictures import files as images
from tests.conftest import CONFIGS, SMALL, TEST, digits

PATTERN = "tb_logs/dense/*/checkpoints/best.ckpt"


def results(folder):
    return json.loads((folder / "results.json").read_text())


def predictions(folder):
    """The table of `predictions.csv`: (N, 13), index, label, prediction, probabilities."""
    with (folder / "predictions.csv").open(newline="") as file:
        return np.array(list(csv.reader(file))[1:], float)


# --------------------------------------------------------------------- loss


class Says(nn.Module):
    """A network with constant logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, images):
        return self.logits


def test_the_loss_of_the_average_does_not_overflow():
    logits = torch.full((2, 4, 10), -1e4)
    logits[0, 0, 3] = logits[1, 0, 3] = 1e4  # both sure and right
    logits[0, 1, 3] = logits[1, 1, 4] = 1e4  # one sure and right, one sure and wrong
    logits[0, 2, 5] = logits[1, 2, 4] = 1e4  # both sure and wrong
    logits[:, 3] = 0  # neither knows anything
    module = EnsembleModule([])
    module.members, module.nets = ["one", "other"], nn.ModuleList(map(Says, logits))
    batch = Batch(torch.zeros(4, 1, 28, 28), torch.full((4,), 3), torch.arange(4), None, None)
    scores = module.test_step(batch, 0)
    log_probs = logits.double() - torch.logsumexp(logits.double(), 2, keepdim=True)
    expected = np.logaddexp(*log_probs[:, :, 3].numpy()) - np.log(2)
    np.testing.assert_allclose(expected, [0, -np.log(2), -20000, -np.log(10)], atol=1e-3)
    loss, acc = module.test_scores.compute()
    assert loss.item() == pytest.approx(-expected.mean(), rel=1e-6)
    assert acc.item() == 0.5
    assert scores.probabilities.isfinite().all()
    assert scores.members.isfinite().all()


# ----------------------------------------------------- through the commands


@pytest.fixture
def ensemble(members, trained, no_pictures, capsys):
    """Runs a command with configs/ensemble.yaml; returns (exit status, stdout, stderr)."""
    config = ["--config", f"{CONFIGS}/ensemble.yaml"]

    def call(command, *options):
        capsys.readouterr()
        return main([command, *config, *members[4:], *options]), *capsys.readouterr()

    return call


def combined(average, members):
    """NumPy's committee, from the members' probabilities (M, N, 10)."""
    if average == "probabilities":
        return members.mean(0)
    if average == "logits":
        product = np.exp(np.log(members).mean(0))
        return product / product.sum(1, keepdims=True)
    votes = (members.argmax(2)[:, :, None] == np.arange(10)).sum(0)
    tied = votes == votes.max(1, keepdims=True)
    winner = np.where(tied, members.mean(0), 0).argmax(1)
    ballot = np.full(votes.shape, 0.099)
    ballot[np.arange(len(ballot)), winner] += 0.01
    return (votes + ballot) / (len(members) + 1)


@pytest.mark.parametrize("average", ["probabilities", "logits", "vote"])
def test_the_average_equals_that_of_numpy(ensemble, average):
    status, output, _ = ensemble("test", "--model.checkpoints", PATTERN, "--model.average", average)
    assert status == 0
    folder = Path("tb_logs/ensemble/committee_3")
    members = np.array([predictions(path) for path in sorted(Path().glob("tb_logs/dense/seed_*"))])
    expected, table = combined(average, members[:, :, 3:]), predictions(folder)
    np.testing.assert_allclose(table[:, 3:], expected, atol=1e-6)
    labels = members[0, :, 1].astype(int)
    assert (table[:, :3] == np.column_stack([np.arange(TEST), labels, expected.argmax(1)])).all()
    recorded = results(folder)
    assert recorded["average"] == average
    assert recorded["test_errors"] == (expected.argmax(1) != labels).sum()
    loss = -np.log(expected[np.arange(TEST), labels]).mean()
    assert recorded["test_loss"] == pytest.approx(loss, abs=1e-6)
    assert f"test_loss {loss:.4f}" in output


def test_a_pattern_gives_the_same_figures_as_the_committee_command(ensemble):
    assert ensemble("test", "--model.checkpoints", PATTERN)[0] == 0
    own, other = (Path("tb_logs") / name / "committee_3" for name in ("dense", "ensemble"))
    first, second = results(own), results(other)
    assert (first.pop("name"), second.pop("name")) == ("dense", "ensemble")
    for folder, facts in ((own, first), (other, second)):  # relative to each folder
        members = {(folder / path).resolve() for path in facts.pop("test_checkpoints")}
        assert members == {path.resolve() for path in Path().glob(PATTERN)}
    assert first == second
    tables = [(folder / "predictions.csv").read_bytes() for folder in (own, other)]
    assert tables[0] == tables[1]


def test_a_committee_ignores_autocast(ensemble):
    assert ensemble("test", "--model.checkpoints", PATTERN)[0] == 0
    table = Path("tb_logs/ensemble/committee_3/predictions.csv")
    before = table.read_bytes()
    mixed = ("--trainer.precision", "bf16-mixed")
    assert ensemble("test", "--model.checkpoints", PATTERN, *mixed)[0] == 0
    assert table.read_bytes() == before


def test_a_committee_predicts_and_validates(ensemble):
    names = []
    for place, image in enumerate(digits(3, 1, noise=255, height=5)[0].numpy()):
        names.append(f"{place}.png")
        Image.fromarray(image).save(names[-1])
    options = ("--model.checkpoints", PATTERN)
    assert ensemble("predict", *options, "--data.images", *names)[0] == 0
    with Path("tb_logs/ensemble/committee_3/digits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == names
    shown = torch.from_numpy(images.read_all(list(map(Path, names)))).unsqueeze(1) / 255
    outputs = []
    for path in Path().glob(PATTERN):
        net = Dense().eval()
        weights = torch.load(path, weights_only=True)["state_dict"]
        net.load_state_dict({k.removeprefix("net."): value for k, value in weights.items()})
        outputs.append(net(shown).softmax(1).detach().numpy())
    expected = np.mean(outputs, axis=0).max(1)
    assert [float(row["probability"]) for row in rows] == pytest.approx(expected, abs=1e-4)
    status, output, _ = ensemble("validate", *options)
    assert status == 0
    assert "val_acc" in output


REFUSED_COMMANDS = {
    "ckpt_path": ("test", ["--ckpt_path", "best"], "--ckpt_path: a committee's weights are named"),
    "fit": ("fit", [], "fit: a committee is not trained; train its members with committee"),
    "committee": ("committee", ["--members", "3"], "--model EnsembleModule: is not trained"),
    "other data": ("test", ["--data.dataset", "FashionMNIST"], "dataset KMNIST, this run has Fash"),
    "other split": ("validate", ["--data.split_seed", "7"], "split_sha256"),
    "average": ("test", ["--model.average", "mean"], "--model.average: expected one of"),
}


@pytest.mark.parametrize(
    ("command", "options", "message"), REFUSED_COMMANDS.values(), ids=REFUSED_COMMANDS
)
def test_commands_that_a_committee_lacks_are_refused_in_one_line(
    ensemble, small_data, command, options, message
):
    if "FashionMNIST" in options:  # whose files have the same names
        shutil.copytree(small_data / SMALL, "data/FashionMNIST")
        options = [*options, "--data.data_dir", "data"]
    status, output, problems = ensemble(command, "--model.checkpoints", PATTERN, *options)
    assert (status, output) == (2, "")
    assert problems.startswith("error: ")
    assert message in problems
    assert problems.count("\n") == 1
    assert not list(Path("tb_logs").glob("ensemble/*/*.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.checkpoints", "none/*.ckpt"], "--model.checkpoints none/*.ckpt: no such file"),
        (["--model.checkpoints", "tb_logs/dense/seed_42/checkpoints/best.ckpt"], "names only"),
        ([], "checkpoints"),
    ],
    ids=["nothing", "one", "none named"],
)
def test_invalid_checkpoints_are_reported_in_one_line(ensemble, options, message):
    status, output, problems = ensemble("test", *options)
    assert (status, output) == (2, "")
    assert message in problems
    assert problems.count("\n") == 1


def test_a_committee_can_be_tested_from_python(trained, hard_data):
    data = MNISTDataModule(str(hard_data), dataset=SMALL)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, max_epochs=1)
    (scores,) = trainer.test(EnsembleModule(PATTERN), data, verbose=False)
    recorded = results(Path("tb_logs/dense/committee_3"))
    assert scores["test_acc"] == pytest.approx(recorded["test_acc"])
    assert scores["test_loss"] == pytest.approx(recorded["test_loss"])


@pytest.mark.parametrize("step", ["validation_step", "test_step", "predict_step"])
def test_steps_can_be_called_by_hand(trained, step):
    images, labels = digits(7, seed=3)
    batch, by_trainer = [images, labels], EnsembleModule(PATTERN).eval()
    by_trainer.configure_model()
    with torch.no_grad():
        found = getattr(EnsembleModule(PATTERN).eval(), step)(batch, 0)
        probabilities = by_trainer(images[:, None] / 255).exp()
    torch.testing.assert_close(getattr(found, "probabilities", found), probabilities)


def test_other_data_are_refused_from_python(trained, hard_data):
    data = MNISTDataModule(str(hard_data), dataset=SMALL, split_seed=7)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    with pytest.raises(UserError, match=r"split_sha256 .*--data\.split_seed"):
        trainer.validate(EnsembleModule(PATTERN), data, verbose=False)


class OtherData(LightningDataModule):
    """A data module that is not the program's."""

    def test_dataloader(self):
        return DataLoader(TensorDataset(*digits(TEST, 1)), batch_size=50)

    val_dataloader = test_dataloader


def test_a_committee_is_scored_on_any_data_module_in_python(trained, tmp_path):
    paths = sorted(map(str, Path().glob(PATTERN)))
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (found,) = trainer.test(EnsembleModule(paths), OtherData(), verbose=False)
    (loaded,) = trainer.test(EnsembleModule(paths), OtherData().test_dataloader(), verbose=False)
    assert found == loaded
    (validated,) = trainer.validate(EnsembleModule(paths), OtherData(), verbose=False)
    assert validated["val_loss"] == pytest.approx(found["test_loss"], rel=1e-6)
