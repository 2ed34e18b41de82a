"""What PyTorch refuses in a step; more is in test_dependency_errors."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import nn

from lit_mnist.command_line.dependency_errors import explained
from lit_mnist.errors import UserError


class Complex(BoringModel):
    def __init__(self):
        super().__init__()
        self.turn = nn.Parameter(torch.ones(2, dtype=torch.cfloat))

    def forward(self, x):
        return (self.layer(x) * self.turn).abs()


@pytest.mark.parametrize("foreach", [True, False])
def test_clipping_complex_weights_by_value_is_reported_with_the_remedy(
    tmp_path, foreach, monkeypatch
):
    clip = nn.utils.clip_grad_value_
    monkeypatch.setattr(
        nn.utils, "clip_grad_value_", lambda *args, **kwargs: clip(*args, foreach=foreach, **kwargs)
    )
    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    how = {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"}
    trainer = Trainer(accelerator="cpu", max_steps=1, default_root_dir=tmp_path, **off, **how)
    with pytest.raises(NotImplementedError) as caught:
        trainer.fit(Complex())
    explanation = explained(caught.value)
    assert isinstance(explanation, UserError)
    assert str(explanation) == (
        "--trainer.gradient_clip_algorithm value: cannot work with this model (NotImplementedError:"
        " clamp is not supported for complex types); take norm, or leave it out"
    )
