"""Whether weights are those that were validated; real runs are in test_best_checkpoint."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn

from lit_mnist.models.modules import DenseModule
from lit_mnist.training.validated_weights import ValidatedWeights


def trainer_of(module, *callbacks):
    return SimpleNamespace(lightning_module=module, callbacks=list(callbacks))


def test_an_average_that_is_saved_counts_as_validated():
    module, average, weights = DenseModule(), EMAWeightAveraging(decay=0.5), ValidatedWeights()
    trainer = trainer_of(module, average)
    average.setup(trainer, module, "fit")
    average._average_model.update_parameters(module)
    with torch.no_grad():
        module.net[1].weight.add_(1)
    weights.note(trainer)
    assert weights.changed(trainer) == "net.1.weight"  # not the average, which is saved
    average._swap_models(module)  # as for the validation itself
    weights.note(trainer)
    average._swap_models(module)
    assert weights.changed(trainer) == ""
    average._average_model.update_parameters(module)
    assert weights.changed(trainer) == "net.1.weight"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_average_in_another_precision_than_is_validated_counts_as_validated(dtype):
    """As Lightning's is under `64-true` and `bf16-true`: made before the module is cast."""
    module, average, weights = DenseModule(), EMAWeightAveraging(decay=0.5), ValidatedWeights()
    trainer = trainer_of(module, average)
    average.setup(trainer, module, "fit")
    module.to(dtype)
    average._average_model.update_parameters(module)
    trained = module.state_dict() | {}
    module.load_state_dict(average._average_model.module.state_dict())  # as for the validation
    weights.note(trainer)
    module.load_state_dict(trained)
    assert weights.changed(trainer) == ""
    with torch.no_grad():
        average._average_model.module.net[1].weight.add_(1)
    assert weights.changed(trainer) == "net.1.weight"


class OwnHook(DenseModule):
    """May put other weights in place for a validation."""

    def on_validation_epoch_start(self):
        """Does nothing here."""


class OwnMode(DenseModule):
    """Likewise, in the first hook of a validation."""

    def on_validation_model_eval(self):
        """Does nothing here."""


@pytest.mark.parametrize(
    ("kind", "changed"), [(DenseModule, "net.1.bias"), (OwnHook, ""), (OwnMode, "")]
)
def test_only_a_module_may_swap_its_weights(kind, changed):
    module, weights = kind(), ValidatedWeights()
    trainer = trainer_of(module)
    first, second = module.net[1].bias.data, torch.arange(len(module.net[1].bias)).float()
    module.register_buffer("average", second)
    weights.note(trainer)
    module.net[1].bias.data, module.average = second, first
    assert weights.changed(trainer) == changed
    module.average.add_(1)
    assert weights.changed(trainer) == "net.1.bias"


def test_a_buffer_that_no_checkpoint_has_is_not_compared():
    """Such as a cache that each forward writes, of the module itself or of a part."""
    module, weights = DenseModule(), ValidatedWeights()
    for place, part in enumerate((module, module.net, module.net[1])):
        part.register_buffer("seen", torch.zeros(3), persistent=False)
        part.register_buffer("kept", torch.full((3,), float(place)))
    weights.note(trainer_of(module))
    for part in (module, module.net, module.net[1]):
        part.seen = torch.ones(3)
    assert weights.changed(trainer_of(module)) == ""
    module.net[1].kept = torch.ones(3) * 3
    assert weights.changed(trainer_of(module)) == "net.1.kept"


class Masked(DenseModule):
    """Has a mask of its own, of each form."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", (torch.arange(12).view(4, 3) % 2).float())
        self.register_buffer("kept", torch.arange(12).view(4, 3) % 2 == 0)


KEEP_NORMS = {"reversed": lambda one: one.flip(0), "negated": lambda one: -one}


@pytest.mark.parametrize("kind", KEEP_NORMS)
@pytest.mark.parametrize("name", ["net.1.weight", "mask"])
def test_other_weights_of_the_same_norm_are_other_weights(name, kind):
    module, weights = Masked(), ValidatedWeights()
    trainer, value = trainer_of(module), module.state_dict()[name]
    weights.note(trainer)
    other = KEEP_NORMS[kind](value).clone()
    assert weights.changed_by_hooks(trainer, {name: other}) == name
    assert weights.changed_by_hooks(trainer, {name: value.half()}) == ""
    value.copy_(other)
    assert weights.changed(trainer) == name


def test_a_mask_of_truth_values_that_is_rewired_is_noticed():
    module, weights = Masked(), ValidatedWeights()
    trainer = trainer_of(module)
    weights.note(trainer)
    module.kept = module.kept.flip(0)
    assert weights.changed(trainer) == "kept"
    assert weights.changed_by_hooks(trainer, module.state_dict()) == "kept"


KINDS = [torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_rare_types_are_compared(kind):
    module, weights = DenseModule(), ValidatedWeights()
    part = 1j if kind.is_complex else 0
    module.rare = nn.Parameter((torch.ones(3) + part).to(kind), requires_grad=False)
    trainer = trainer_of(module)
    weights.note(trainer)
    saved = {name: value.clone() for name, value in module.state_dict().items()}
    assert weights.changed(trainer) == weights.changed_by_hooks(trainer, saved) == ""
    other = (torch.ones(3) + 2 * (part or 1)).to(kind)
    assert weights.changed_by_hooks(trainer, saved | {"rare": other}) == "rare"
    module.rare.data = other
    assert weights.changed(trainer) == "rare"


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
