"""Whether weights are those that were validated; real runs are in test_stopping."""

from types import SimpleNamespace

import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

from lit_mnist.models.modules import DenseModule
from lit_mnist.training.validated_weights import ValidatedWeights


def test_an_average_that_is_saved_counts_as_much_as_the_weights():
    module, average, weights = DenseModule(), EMAWeightAveraging(decay=0.5), ValidatedWeights()
    trainer = SimpleNamespace(lightning_module=module, callbacks=[average])
    average.setup(trainer, module, "fit")
    average._average_model.update_parameters(module)
    with torch.no_grad():
        module.net[1].weight.add_(1)
    weights.note(trainer)
    average._swap_models(module)  # as for the validation itself
    assert weights.include(trainer)
    average._swap_models(module)
    average._average_model.update_parameters(module)
    assert not weights.include(trainer)
