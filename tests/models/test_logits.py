"""What a user's own network gives in place of logits is told in one line, wherever it is used."""

import pytest
import torch
from torch import nn

from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.main import main
from lit_mnist.models import ClassifierModule, EnsembleModule
from lit_mnist.models.logits import checked
from tests.conftest import SMALL

LOGITS = torch.zeros(3, 10)


@pytest.mark.parametrize(
    ("output", "told"),
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
def test_what_is_no_logits_is_described(output, told):
    with pytest.raises(UserError) as error:
        checked(output, 3, nn.Flatten())
    assert str(error.value) == (
        f"torch.nn.modules.flatten.Flatten: gives {told} for 3 images; wanted are logits, a float"
        " tensor (3, 10): return that alone from forward"
    )


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_logits_are_given_back(kind):
    logits = LOGITS.to(kind)
    assert checked(logits, 3, nn.Flatten()) is logits


class Wide(ClassifierModule):
    """11 logits in place of 10."""

    def net_type(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 11))


class Squeezed(ClassifierModule):
    """Right, but for a single image."""

    def net_type(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, images):
        return self.net(images).squeeze()


class Twofold(Squeezed):
    """Logits and features."""

    def forward(self, images):
        return self.net(images), images


class Pair(Twofold):
    """The same; all steps take them apart themselves."""

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.images)[0], batch.labels)

    def evaluate(self, batch):
        return self(batch.images)[0]


def batch(count):
    labels = torch.zeros(count, dtype=torch.int64)
    return Batch(torch.zeros(count, 1, 28, 28), labels, labels, 1.0)


@pytest.mark.parametrize("step", ["training_step", "validation_step", "test_step", "predict_step"])
@pytest.mark.parametrize(("kind", "count"), [(Wide, 2), (Squeezed, 1)])
def test_each_step_tells_the_class(kind, count, step):
    with pytest.raises(UserError, match=f"{kind.__name__}: gives a tensor"):
        getattr(kind(), step)(batch(count), 0)
    if kind is Squeezed:
        assert getattr(kind(), step)(batch(2), 0) is not None


def test_a_shifted_image_is_told_likewise():
    with pytest.raises(UserError, match=r"Wide: gives a tensor \(2, 11\)"):
        Wide(shifts=True).eval()(torch.zeros(2, 1, 28, 28))


def test_what_its_own_steps_take_apart_is_not_refused():
    module = Pair()
    assert module.training_step(batch(2), 0).isfinite()
    assert module.test_step(batch(2), 0).shape == (2, 10)


def test_fit_ends_in_one_line(small_data, here, capsys):
    options = ["--data.data_dir", str(small_data), "--data.dataset", SMALL]
    model = f"{__name__}.Wide"
    assert main(["fit", "--model", model, *options, "--trainer.accelerator", "cpu"]) == 2
    problems = capsys.readouterr().err
    assert f"error: {model}: gives a tensor (86, 11) of float32 for 86 images" in problems
    assert "Traceback" not in problems


def test_a_committee_and_an_export_need_a_forward_that_gives_logits(tmp_path):
    paths = [tmp_path / f"{place}.ckpt" for place in range(2)]
    for path in paths:
        module = Twofold()
        torch.save({"state_dict": module.state_dict(), "model_class": f"{__name__}.Twofold"}, path)
    committee = EnsembleModule(checkpoints=list(map(str, paths)), classes=[Twofold])
    with pytest.raises(UserError, match="Twofold: gives a tuple of 2 for 1 image;"):
        committee.configure_model()
    run = TrainedRun(paths[:1], [torch.load(paths[0])], "probabilities", "MNIST", None, [Twofold])
    with pytest.raises(UserError, match="Twofold: gives a tuple of 2 for 1 image;"):
        run.model()
