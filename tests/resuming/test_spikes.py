"""SpikeDetection after a resume; most cases are in `tests/test_recipes_resumed.py`."""

import copy
from types import SimpleNamespace

import torch
from lightning.pytorch.callbacks import SpikeDetection
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.resuming.spikes import Spikes


def test_the_mean_of_spike_detection_is_where_the_losses_are():
    spikes, gpu = SpikeDetection(), torch.device("meta")
    trainer = SimpleNamespace(callbacks=[spikes], strategy=SimpleNamespace(root_device=gpu))
    Spikes().on_train_start(trainer, None)
    assert spikes.running_mean.base_metric.mean_value.device == gpu


def detector():
    """A SpikeDetection of three losses, the callback that completes its state, and a trainer."""
    spikes, keeper = SpikeDetection(window=3), Spikes()
    state = SimpleNamespace(fn=TrainerFn.FITTING)
    trainer = SimpleNamespace(callbacks=[spikes], state=state)
    keeper.setup(trainer, None, "fit")
    return spikes, keeper, trainer


def test_a_loss_takes_the_place_of_the_oldest_after_a_resume_too():
    whole, keeper, trainer = detector()
    for loss in (1.0, 2.0, 3.0, 4.0):
        whole._update_stats(torch.tensor(loss))
    checkpoint = {}
    keeper.on_save_checkpoint(trainer, None, checkpoint)
    state = copy.deepcopy(whole.state_dict())

    cut, keeper, trainer = detector()
    keeper.on_load_checkpoint(trainer, None, checkpoint)
    cut.load_state_dict(state)
    for spikes in (whole, cut):
        spikes._update_stats(torch.tensor(8.0))
        assert spikes.running_mean.compute() == (3 + 4 + 8) / 3
