"""Weights that a callback sets at the end of training; real runs are in test_recipes."""

from types import SimpleNamespace

from lightning.pytorch.callbacks import StochasticWeightAveraging

from lit_mnist.runs.folder import Run
from lit_mnist.training.final_weights import FinalWeights


def test_each_rank_helps_to_put_sharded_weights_together(tmp_path):
    asked = []
    strategy = SimpleNamespace(
        lightning_module_state_dict=lambda: asked.append("weights"),
        broadcast=lambda changed: asked.append(changed),
    )
    trainer = SimpleNamespace(strategy=strategy, is_global_zero=False, callbacks=[])
    last = FinalWeights(Run(tmp_path))
    last.on_train_end(trainer, None)
    assert asked == []
    trainer.callbacks.append(StochasticWeightAveraging(0.1))
    last.on_train_end(trainer, None)
    assert asked == ["weights", False]
