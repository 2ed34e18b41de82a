"""The random generators continue as if there had been no resume."""

import random
from types import SimpleNamespace

import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.resuming.generators import Generators


def drawn():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002 # as users draw


def test_all_generators_are_restored():
    trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("cpu")), world_size=1, global_rank=0,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
    )  # fmt: skip
    generators, checkpoint = Generators(), {}
    generators.on_save_checkpoint(trainer, None, checkpoint)
    expected = drawn()
    assert drawn() != expected
    generators.on_load_checkpoint(trainer, None, checkpoint)
    generators.after_start(trainer, None)
    assert drawn() == expected
