"""Outputs of a user's network that are not logits are reported in one line by every command."""

import pytest
import torch
from torch import nn

from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.main import main
from lit_mnist.models import ClassifierModule, EnsembleModule
from lit_mnist.models.logits import checked
from lit_mnist.runs import entries
from tests.conftest import SMALL

LOGITS = torch.zeros(3, 10)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (LOGITS[:, :9], "a tensor (3, 9) of float32"),
        (LOGITS.repeat(1, 2), "a tensor (3, 20) of float32"),
        (LOGITS[..., None], "a tensor (3, 10, 1) of float32"),
        (LOGITS.T, "a tensor (10, 3) of float32"),
        (LOGITS[:2], "a tensor (2, 10) of float32"),
        (LOGITS.argmax(1), "a tensor (3,) of int64"),
        (LOGITS.long(), "a tensor (3, 10) of int64"),
        (LOGITS.to(torch.complex64), "a tensor (3, 10) of complex64"),
        ((LOGITS, LOGITS), "a tuple of 2"),
        ([LOGITS], "a list of 1"),
        ({"logits": LOGITS, "loss": 0}, "a dict of logits, loss"),
        (LOGITS.numpy(), "an object of class ndarray"),
        (None, "None"),
    ],
)
def test_a_wrong_output_is_described(output, text):
    with pytest.raises(UserError) as error:
        checked(output, 3, nn.Flatten())
    assert str(error.value) == (
        f"torch.nn.modules.flatten.Flatten: returns {text} for 3 images; expected are logits, a"
        " float tensor (3, 10): return only these from forward"
    )


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_logits_are_returned_unchanged(kind):
    logits = LOGITS.to(kind)
    assert checked(logits, 3, nn.Flatten()) is logits


class Wide(ClassifierModule):
    """11 logits in place of 10."""

    def net_type(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 11))


class Squeezed(ClassifierModule):
    """Wrong for a single image only."""

    def net_type(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, images):
        return self.net(images).squeeze()


class Twofold(Squeezed):
    """Logits and features."""

    def forward(self, images):
        return self.net(images), images


class Pair(Twofold):
    """The same; its steps unpack them."""

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.images)[0], batch.labels)

    def evaluate(self, batch):
        return self(batch.images)[0]


def batch(count):
    labels = torch.zeros(count, dtype=torch.int64)
    return Batch(torch.zeros(count, 1, 28, 28), labels, labels, 1.0)


@pytest.mark.parametrize("step", ["training_step", "validation_step", "test_step", "predict_step"])
@pytest.mark.parametrize(("kind", "count"), [(Wide, 2), (Squeezed, 1)])
def test_each_step_names_the_class_with_a_wrong_output(kind, count, step):
    with pytest.raises(UserError, match=f"{kind.__name__}: returns a tensor"):
        getattr(kind(), step)(batch(count), 0)
    if kind is Squeezed:
        assert getattr(kind(), step)(batch(2), 0) is not None


def test_a_wrong_output_for_shifted_images_is_reported():
    with pytest.raises(UserError, match=r"Wide: returns a tensor \(2, 11\)"):
        Wide(shifts=True).eval()(torch.zeros(2, 1, 28, 28))


def test_a_module_whose_steps_handle_its_output_is_accepted():
    module = Pair()
    assert module.training_step(batch(2), 0).isfinite()
    assert module.test_step(batch(2), 0).shape == (2, 10)


def test_fit_reports_a_wrong_output_in_one_line(small_data, here, capsys):
    options = ["--data.data_dir", str(small_data), "--data.dataset", SMALL]
    model = f"{__name__}.Wide"
    options += ["--trainer.accelerator", "cpu", "--trainer.precision", "32-true"]
    assert main(["fit", "--model", model, *options]) == 2
    problems = capsys.readouterr().err
    assert f"error: {model}: returns a tensor (86, 11) of float32 for 86 images" in problems
    assert "Traceback" not in problems


def test_a_committee_and_an_export_need_logits_from_forward(tmp_path):
    paths = [tmp_path / f"{place}.ckpt" for place in range(2)]
    for path in paths:
        named = {entries.MODEL_CLASS: f"{__name__}.Twofold"}
        torch.save({"state_dict": Twofold().state_dict(), **named}, path)
    committee = EnsembleModule(checkpoints=list(map(str, paths)), classes=[Twofold])
    with pytest.raises(UserError, match="Twofold: returns a tuple of 2 for 1 image;"):
        committee.configure_model()
    run = TrainedRun(paths[:1], [torch.load(paths[0])], "probabilities", "MNIST", None, [Twofold])
    with pytest.raises(UserError, match="Twofold: returns a tuple of 2 for 1 image;"):
        run.model()
