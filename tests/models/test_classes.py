"""Members are rebuilt as the modules that trained them; unknown classes are never imported."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.models import classes, trained
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import DenseModule, SimpleConvModule
from lit_mnist.runs.folder import Run
from lit_mnist.training.run_folder import RunFolder
from tests import own_modules
from tests.conftest import SMALL, digits

IMAGES = digits(20, 5)[0].unsqueeze(1) / 255


def written(path, module, name=None, **others):
    """Writes a checkpoint as LightningCLI would; returns the module for evaluation."""
    kind = type(module)
    named = {"_class_path": name or f"{kind.__module__}.{kind.__name__}", "_instantiator": "x"}
    content = {"state_dict": module.state_dict(), "hyper_parameters": named | others}
    torch.save(content, path)
    return module.eval()


def trained_a_little(kind, seed, **arguments):
    """A module with running statistics and weights other than its initial ones."""
    torch.manual_seed(seed)
    module = kind(**arguments)
    for _ in range(3):
        module(torch.rand(50, 1, 28, 28))
    return module


def mean(*modules):
    with torch.no_grad():
        return np.mean([module(IMAGES).softmax(1).numpy() for module in modules], axis=0)


def committee(*paths, **options):
    with torch.no_grad():
        return EnsembleModule(list(paths), **options)(IMAGES).exp().numpy()


KINDS = {
    "another activation in the same shapes": (own_modules.TanhModule, {}),
    "its own forward": (own_modules.CenteredModule, {}),
    "a subclass of a subclass": (own_modules.DeeperCenteredModule, {}),
    "a hyperparameter": (own_modules.ChoiceModule, {"activation": "tanh"}),
    "buffers, and a base without net_type": (own_modules.BufferModule, {}),
    "one of ours": (SimpleConvModule, {}),
}


@pytest.mark.parametrize(("kind", "arguments"), KINDS.values(), ids=KINDS)
def test_a_member_is_rebuilt_as_the_module_that_trained_it(here, kind, arguments):
    one, other = (trained_a_little(kind, seed, **arguments) for seed in range(2))
    written("a.ckpt", one, **arguments)
    written("b.ckpt", other, **arguments)
    ours = written("c.ckpt", trained_a_little(DenseModule, 2))  # mixed with one of ours
    expected = mean(one, other, ours)
    np.testing.assert_allclose(committee("a.ckpt", "b.ckpt", "c.ckpt"), expected, atol=1e-6)


def test_a_hyperparameter_with_a_class_path_is_rebuilt(here):
    one, other = (
        written(
            f"{seed}.ckpt",
            trained_a_little(own_modules.ChoiceModule, seed, head=nn.Hardtanh(-0.5, 0.5)),
            head={
                "class_path": "torch.nn.Hardtanh",
                "init_args": {"min_val": -0.5, "max_val": 0.5},
            },
        )
        for seed in range(2)
    )
    np.testing.assert_allclose(committee("0.ckpt", "1.ckpt"), mean(one, other), atol=1e-6)


@pytest.mark.parametrize("name", ["lit_mnist.modules.DenseModule", "lit_mnist.models.DenseModule"])
def test_the_program_s_classes_are_known_by_old_and_new_paths(here, name):
    one, other = (
        written(f"{seed}.ckpt", trained_a_little(DenseModule, seed), name) for seed in range(2)
    )
    np.testing.assert_allclose(committee("0.ckpt", "1.ckpt"), mean(one, other), atol=1e-6)


def test_an_unknown_class_is_refused_naming_the_option(here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    (here / "not_imported.py").write_text("raise SystemExit('imported')")
    written("a.ckpt", own_modules.TanhModule(), "not_imported.TanhModule")
    written("b.ckpt", own_modules.TanhModule(), "not_imported.TanhModule")
    message = (
        r"a\.ckpt: trained with not_imported\.TanhModule, which is not known here; add"
        r" --model\.classes not_imported\.TanhModule"
    )
    with pytest.raises(UserError, match=message):
        committee("a.ckpt", "b.ckpt")
    # a class of the same name elsewhere is another one, even if it is named
    with pytest.raises(UserError, match=message):
        committee("a.ckpt", "b.ckpt", classes=own_modules.TanhModule)
    assert "not_imported" not in sys.modules


@pytest.mark.parametrize("deep", [False, True])
def test_hyperparameters_import_nothing(here, monkeypatch, deep):
    monkeypatch.syspath_prepend(here)
    (here / "not_imported.py").write_text("raise SystemExit('imported')")
    head = {"class_path": "not_imported.Net"}
    head = {"class_path": "torch.nn.Sequential", "dict_kwargs": {"a": [head]}} if deep else head
    for seed in range(2):
        written(f"{seed}.ckpt", trained_a_little(own_modules.ChoiceModule, seed), head=head)
    with pytest.raises(UserError, match=r"name not_imported\.Net, which is not known here"):
        committee("0.ckpt", "1.ckpt")
    assert "not_imported" not in sys.modules


def test_a_class_of_a_script_is_found_by_its_bare_name_if_named(here):
    one, other = (
        written(f"{s}.ckpt", trained_a_little(own_modules.TanhModule, s), "__main__.TanhModule")
        for s in range(2)
    )
    with pytest.raises(UserError, match=r"trained with __main__\.TanhModule"):
        committee("0.ckpt", "1.ckpt")
    output = committee("0.ckpt", "1.ckpt", classes=[own_modules.TanhModule])
    np.testing.assert_allclose(output, mean(one, other), atol=1e-6)


def test_a_checkpoint_without_class_name_is_not_guessed_by_shape(here):
    modules = [trained_a_little(own_modules.TanhModule, seed) for seed in range(2)]
    for seed, module in enumerate(modules):
        torch.save({"state_dict": module.eval().state_dict()}, f"{seed}.ckpt")
    with pytest.raises(UserError, match=r"0\.ckpt: names no class, .*; add --model\.classes my_"):
        committee("0.ckpt", "1.ckpt")
    output = committee("0.ckpt", "1.ckpt", classes=own_modules.TanhModule)
    np.testing.assert_allclose(output, mean(*modules), atol=1e-6)


def test_hyperparameters_unknown_to_the_class_are_refused(here):
    for seed in range(2):
        module = trained_a_little(own_modules.ChoiceModule, seed)
        written(f"{seed}.ckpt", module, activation=["no", "text"])
    with pytest.raises(UserError, match=r"0\.ckpt: ChoiceModule does not take") as raised:
        committee("0.ckpt", "1.ckpt")
    assert "\n" not in str(raised.value)


def test_modules_trained_from_python_form_a_committee(small_data, here):
    modules = []
    for seed in range(2):
        torch.manual_seed(seed)
        module = own_modules.CenteredModule()
        trainer = Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
            enable_checkpointing=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, MNISTDataModule(str(small_data), SMALL, batch_size=60))
        trainer.save_checkpoint(f"{seed}.ckpt")
        modules.append(module.eval())
    np.testing.assert_allclose(committee("0.ckpt", "1.ckpt"), mean(*modules), atol=1e-6)


CHECKED = {
    "another class": (own_modules.TanhModule, {}, DenseModule, {}, "trained with tests.own_mod"),
    "a hyperparameter": (
        own_modules.ChoiceModule,
        {"activation": "tanh"},
        own_modules.ChoiceModule,
        {},
        "x.ckpt: trained with --model.activation tanh, not relu; take the --config",
    ),
    "a way of reading": (
        DenseModule,
        {"shifts": False},
        DenseModule,
        {"shifts": True},
        "x.ckpt: trained with --model.shifts False, not True; take the --config",
    ),
}


@pytest.mark.parametrize(
    ("kind", "arguments", "other", "others", "message"), CHECKED.values(), ids=CHECKED
)
def test_weights_of_another_module_are_refused(here, kind, arguments, other, others, message):
    written("x.ckpt", kind(**arguments), **arguments)
    checkpoint = torch.load("x.ckpt", weights_only=True)
    with pytest.raises(UserError) as raised:
        classes.check_same_module(checkpoint, other(**others), here / "x.ckpt")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    classes.check_same_module(checkpoint, kind(**arguments), here / "x.ckpt")


def test_training_options_may_differ_in_evaluation(here):
    written("x.ckpt", DenseModule(), lr=0.5, patience=7, channels_last=True)
    checkpoint = torch.load("x.ckpt", weights_only=True)
    classes.check_same_module(checkpoint, DenseModule(lr=0.1), here / "x.ckpt")


def test_a_class_of_a_script_is_not_another_of_that_shape(here):
    written("x.ckpt", own_modules.TanhModule(), "__main__.TanhModule")
    checkpoint = torch.load("x.ckpt", weights_only=True)
    with pytest.raises(UserError, match=r"trained with __main__\.TanhModule, not lit_mnist"):
        classes.check_same_module(checkpoint, DenseModule(), here / "x.ckpt")
    classes.check_same_module(checkpoint, own_modules.TanhModule(), here / "x.ckpt")


def test_options_that_a_module_does_not_keep_are_those_of_the_command_line(here):
    module = own_modules.ChoiceModule("tanh", nn.Hardtanh(-0.5, 0.5)).eval()
    head = {"class_path": "torch.nn.Hardtanh", "init_args": {"min_val": -0.5, "max_val": 0.5}}
    name = f"{own_modules.__name__}.ChoiceModule"
    options = {"class_path": name, "init_args": {"activation": "tanh", "head": head}}
    checkpoint = {"state_dict": module.state_dict()}
    RunFolder(Run(here), {"model": options}, False).on_save_checkpoint(None, module, checkpoint)
    torch.testing.assert_close(trained.network(checkpoint, here / "x")(IMAGES), module(IMAGES))
    plain = own_modules.ChoiceModule("tanh")
    classes.check_same_module(checkpoint, plain, here / "x", options["init_args"])
    with pytest.raises(UserError, match=r"trained with --model\.head {.*}, not null;"):
        classes.check_same_module(checkpoint, plain, here / "x", {"head": None})


def test_a_class_that_has_moved_is_found_once_its_old_file_names_it(here, monkeypatch):
    module = own_modules.TanhModule()
    written(here / "x.ckpt", module, name="old_place.TanhModule")
    checkpoint = torch.load(here / "x.ckpt", weights_only=True)
    remedy = "or if it has moved, add `from tests.own_modules import TanhModule` to old_place"
    with pytest.raises(UserError, match=remedy):
        classes.check_same_module(checkpoint, module, here / "x.ckpt")
    with pytest.raises(UserError, match=remedy):
        classes.trained_class(checkpoint, here / "x.ckpt", [own_modules.TanhModule])
    old_place = ModuleType("old_place")
    old_place.TanhModule = own_modules.TanhModule  # as that line does
    monkeypatch.setitem(sys.modules, "old_place", old_place)
    classes.check_same_module(checkpoint, module, here / "x.ckpt")
    kind = classes.trained_class(checkpoint, here / "x.ckpt", [own_modules.TanhModule])
    assert kind is own_modules.TanhModule


def test_a_class_of_another_name_has_not_moved(here):
    written(here / "x.ckpt", own_modules.TanhModule(), name="old_place.TanhModule")
    checkpoint = torch.load(here / "x.ckpt", weights_only=True)
    with pytest.raises(UserError) as raised:
        classes.check_same_module(checkpoint, DenseModule(), here / "x.ckpt")
    assert "moved" not in str(raised.value)


def test_a_class_called_by_another_name_in_training_is_found_by_its_own(here):
    module = own_modules.TanhModule().eval()
    written(here / "x.ckpt", module, name="gone.Net")  # which imported it under that name
    checkpoint = torch.load(here / "x.ckpt", weights_only=True)
    for of_another in (own_modules.CenteredModule(), DenseModule()):
        of_another.on_save_checkpoint(checkpoint)
        with pytest.raises(UserError, match=r"trained with gone\.Net"):
            classes.check_same_module(checkpoint, module, here / "x.ckpt")
    module.on_save_checkpoint(checkpoint)
    classes.check_same_module(checkpoint, module, here / "x.ckpt")
    torch.testing.assert_close(trained.network(checkpoint, here / "x")(IMAGES), module(IMAGES))


def test_of_two_classes_that_bear_its_names_the_one_that_the_user_called_is_taken(
    here, monkeypatch
):
    module = own_modules.TanhModule()
    written(here / "x.ckpt", module, name="moved.Net")
    checkpoint = torch.load(here / "x.ckpt", weights_only=True)
    module.on_save_checkpoint(checkpoint)
    moved = ModuleType("moved")
    moved.Net = own_modules.CenteredModule
    monkeypatch.setitem(sys.modules, "moved", moved)
    assert classes.trained_class(checkpoint, here / "x.ckpt") is own_modules.CenteredModule
