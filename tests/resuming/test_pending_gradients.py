"""Gradients that a module sums up by hand."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn

from lit_mnist.resuming.pending_gradients import PendingGradients
from lit_mnist.runs import entries
from tests.fitting import callback, fitted, recipe
from tests.recipes import SumsGradients
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped


class SparseWords(SumsGradients):
    """Sums up sparse gradients."""

    class net_type(nn.Module):  # as the attribute is called
        """Takes the brightest pixels for words."""

        def __init__(self):
            super().__init__()
            self.words = nn.EmbeddingBag(784, 10, mode="sum", sparse=True)
            self.last = nn.Linear(10, 10)

        def forward(self, images):
            return self.last(self.words(images.flatten(1).topk(40).indices))

    def configure_optimizers(self):
        words, last = self.net.words.parameters(), self.net.last.parameters()
        return torch.optim.SparseAdam(words, lr=0.01), torch.optim.Adam(last, lr=0.01)


@pytest.mark.parametrize(
    ("model", "moment"),
    [
        ("tests.recipes.SumsGradients", "7"),  # of 9 a batch: within the first epoch
        ("tests.recipes.SumsGradients", "11"),
        ("tests.stateful.StepsEveryOther", "14"),
        (f"{__name__}.SparseWords", "7"),
    ],
)
def test_steps_of_several_batches_by_hand_resume_bit_identically(
    run_cli, monkeypatch, model, moment
):
    # a validation would set the gradients to zero
    same = ("--model", model, STOP_AT, "--trainer.check_val_every_n_epoch", "2")
    same += ("--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    (kept,) = checkpoint("last", folder("cut"))[entries.GRADIENTS]
    first = next(iter(kept.values()))
    assert (first["values"] if isinstance(first, dict) else first).any()
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


def test_an_average_of_batch_norms_is_not_changed_by_the_last_gradients(run_cli, monkeypatch):
    average = callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1")
    same = (*recipe("Fixed"), *average, STOP_AT, "--trainer.accumulate_grad_batches", "2")
    # a validation drops gradients, and a limit lets the last epoch end with a step
    same += ("--trainer.limit_val_batches", "0", "--trainer.limit_train_batches", "5")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "12", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


@pytest.mark.parametrize(
    "other",
    [
        torch.ones(3),
        {"indices": torch.tensor([[9999]]), "values": torch.ones(1, 784), "is_coalesced": False},
        {"values": 1},
    ],
)
def test_gradients_of_another_model_are_refused_in_one_line(run_cli, other):
    same = (*recipe("SumsGradients"), "--trainer.limit_val_batches", "0")
    fitted(run_cli("fit", *same))
    path = folder("SumsGradients") / "checkpoints" / "last.ckpt"
    saved = torch.load(path, weights_only=True)
    saved[entries.GRADIENTS][0]["net.1.weight"] = other
    torch.save(saved, path)
    status, _, problems = run_cli("fit", *same, "--trainer.max_epochs", "3")
    assert status == 2
    assert f"{path}: damaged, its gradients do not fit the model" in problems
    assert problems.count("\n") == 1


def test_another_number_of_ranks_takes_the_mean_of_their_gradients():
    module, gradients = LightningModule(), PendingGradients()
    module.weight = nn.Parameter(torch.zeros(2))
    gradients.loaded = [{"weight": torch.tensor([1.0, 2.0])}, {"weight": torch.tensor([3.0, 2.0])}]
    gradients.after_start(SimpleNamespace(world_size=1, global_rank=0), module)
    assert module.weight.grad.tolist() == [2.0, 2.0]
