"""Whether weights are those that were validated; real runs are in test_stopping."""

import json
from pathlib import Path
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


def test_weights_beside_a_buffer_of_nan_are_kept_resumed_and_tested(run_cli):
    own = ("--model", "tests.recipes.NotKnownYet")
    status, output, problems = run_cli("fit", *own)
    assert (status, problems) == (0, "")
    assert "is not written" not in output
    assert run_cli("fit", *own, "--trainer.max_epochs", "3")[0] == 0
    assert run_cli("test", *own)[0] == 0
    run = Path("tb_logs/dense/seed_42")
    assert (run / "checkpoints" / "best.ckpt").exists()
    results = json.loads((run / "results.json").read_text())
    assert (results["epochs"], results["test_checkpoints"]) == (3, ["checkpoints/best.ckpt"])
