"""The plateau schedule against recorded sequences of Keras 3's ReduceLROnPlateau."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.utilities.types import LRSchedulerConfig

from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint


def rates(accuracies, **options):
    """The learning rate after each epoch, starting from 0.001."""
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-3)
    schedule = Plateau(optimizer, **options)
    result = []
    for accuracy in accuracies:
        schedule.step(accuracy)
        result.append(optimizer.param_groups[0]["lr"])
    return result


def keras(accuracies, patience=3, factor=0.5, min_delta=1e-4, min_lr=1e-5):
    """Keras' arithmetic, in whole images so that rounding does not matter."""
    best, wait, lr, result = -1, 0, 1e-3, []
    for correct in (round(accuracy * 10_000) for accuracy in accuracies):
        if correct > best + min_delta * 10_000:
            best, wait = correct, 0
        else:
            wait += 1
            if wait >= patience and lr > min_lr:
                lr, wait = max(lr * factor, min_lr), 0
        result.append(lr)
    return result


def test_lowers_the_rate_at_the_third_epoch_without_improvement():
    flat = [0.98] * 8
    assert rates(flat) == pytest.approx([1e-3] * 3 + [5e-4] * 3 + [2.5e-4] * 2)


def test_two_more_images_are_an_improvement_and_one_is_not():
    assert rates([0.9800, 0.9801, 0.9801, 0.9801])[-1] == pytest.approx(5e-4)
    assert rates([0.9800, 0.9802, 0.9802, 0.9802])[-1] == pytest.approx(1e-3)


def test_never_falls_below_min_lr():
    assert rates([0.9] * 60)[-1] == pytest.approx(1e-5)


@pytest.mark.parametrize("patience", [1, 2, 3, 5])
def test_equals_keras_on_random_histories(patience):
    generator = torch.Generator().manual_seed(patience)
    for _ in range(50):
        accuracies = (9900 + torch.randint(0, 30, (40,), generator=generator)) / 10_000
        assert rates(accuracies.tolist(), patience=patience) == pytest.approx(
            keras(accuracies.tolist(), patience)
        )


def test_continues_the_same_schedule_from_its_state():
    accuracies = [0.97, 0.98, 0.98, 0.98, 0.979, 0.98, 0.981, 0.98, 0.98, 0.98, 0.98]
    whole = rates(accuracies)
    for cut in range(1, len(accuracies)):
        optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-3)
        first = Plateau(optimizer)
        for accuracy in accuracies[:cut]:
            first.step(accuracy)
        resumed = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-3)
        resumed.load_state_dict(optimizer.state_dict())
        second = Plateau(resumed)
        second.load_state_dict(first.state_dict())
        continued = []
        for accuracy in accuracies[cut:]:
            second.step(accuracy)
            continued.append(resumed.param_groups[0]["lr"])
        assert continued == whole[cut:]


def test_stock_callbacks_see_a_schedule_of_epochs_which_lightning_does_not_step():
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-3)
    config = LRSchedulerConfig(Plateau(optimizer), monitor="val_acc")
    trainer = SimpleNamespace(
        lr_scheduler_configs=[config], optimizers=[optimizer], callback_metrics={},
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )  # fmt: skip
    PlateauBeforeCheckpoint().on_fit_start(trainer, None)
    assert LearningRateMonitor()._extract_stats(trainer, "epoch") == {"lr-Adam": 1e-3}
    assert all(epoch % config.frequency for epoch in range(1, 10_000))
