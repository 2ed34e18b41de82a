"""Which networks form a committee, and how they are found and loaded."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import DeepConvModule, DenseModule, SimpleConvModule
from lit_mnist.runs import entries
from tests.conftest import digits

IDENTITY = {"dataset": "MNIST", "pixels": "0 to 1", "data_sha256": "d1", "split_sha256": "s1"}


def save(path, kind=DenseModule, seed=0, **identity):
    """Writes a checkpoint of a network with random weights; returns the network."""
    torch.manual_seed(seed)
    module = kind()
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {"_class_path": f"lit_mnist.models.{kind.__name__}"}
    content = {"state_dict": module.state_dict(), "hyper_parameters": named, "epoch": 3}
    content["MNISTDataModule"] = identity
    torch.save(content | {"callbacks": {"metrics": {"rows": [{"epoch": 3, "val_acc": 0.5}]}}}, path)
    return module.net.eval()


def test_members_are_found_by_path_or_pattern_with_any_architecture(here):
    nets = [
        save(here / "b" / "seed_7" / "checkpoints" / "best.ckpt", SimpleConvModule, 1, **IDENTITY),
        save(here / "a" / "seed_10" / "checkpoints" / "best.ckpt", DenseModule, 2, **IDENTITY),
        save(here / "a" / "seed_9" / "checkpoints" / "best.ckpt", DenseModule, 3, **IDENTITY),
        save(here / "plain[1].ckpt", DeepConvModule, 4, **IDENTITY),
    ]
    patterns = ["b/seed_7/checkpoints/best.ckpt", "a/*/checkpoints/best.ckpt", "plain[1].ckpt"]
    module = EnsembleModule(patterns)
    shown = digits(20, 5)[0].unsqueeze(1) / 255
    with torch.no_grad():
        output = module(shown).exp().numpy()
        mean = np.mean([net(shown).softmax(1).numpy() for net in nets], axis=0)
    np.testing.assert_allclose(output, mean, atol=1e-6)
    # the members of a pattern in the order of their seeds, as `committee` has them
    names = [member.name for member in module.members]
    assert names == ["b/seed_7", "a/seed_9", "a/seed_10", "plain[1].ckpt"]
    assert {(member.epoch, member.val_acc) for member in module.members} == {(3, 0.5)}
    assert not any(net.training for net in module.nets)


def test_the_hash_depends_on_members_order_and_average(here):
    for seed in range(3):
        save(here / f"{seed}.ckpt", seed=seed)
    kinds = [
        (["0.ckpt", "1.ckpt"], "probabilities"),
        (["0.ckpt", "1.ckpt"], "vote"),
        (["1.ckpt", "0.ckpt"], "probabilities"),
        (["0.ckpt", "2.ckpt"], "probabilities"),
    ]
    hashes = []
    for paths, average in kinds * 2:
        module = EnsembleModule(paths, average)
        module.configure_model()
        hashes.append(module.sha256)
    assert len(set(hashes)) == 4
    assert hashes[:4] == hashes[4:]


def damage(path):
    save(path)
    path.write_bytes(path.read_bytes()[:-1000])


def other_network(path):
    torch.save({"state_dict": nn.Linear(3, 3).state_dict()}, path)


def other_weights(path):
    named = {"_class_path": "lit_mnist.models.DenseModule"}
    torch.save({"state_dict": nn.Linear(3, 3).state_dict(), "hyper_parameters": named}, path)


def no_tensors(path):
    torch.save({"state_dict": {"net.1.weight": "w"}}, path)


REFUSED = {
    "one": (["a.ckpt"], None, r"names only a\.ckpt; a committee has two members or more"),
    "none": ([], None, "names nothing; a committee has two members or more"),
    "no such file": (["a.ckpt", "none.ckpt"], None, r"none\.ckpt: no such file"),
    "no such pattern": (["a.ckpt", "x/*.ckpt"], None, r"x/\*\.ckpt: no such file"),
    "a folder": (["a.ckpt", "."], None, r"\.: no such checkpoint"),
    "twice": (["a.ckpt", "a.ckpt"], None, r"a\.ckpt and a\.ckpt hold the same weights"),
    "a copy": (
        ["a.ckpt", "b.ckpt"],
        lambda path: save(path, **IDENTITY),
        r"b\.ckpt and a\.ckpt hold the same weights; leave one out",
    ),
    "dataset": (
        ["a.ckpt", "b.ckpt"],
        lambda path: save(path, seed=1, **IDENTITY | {"dataset": "KMNIST", "data_sha256": "d2"}),
        r"b\.ckpt: trained with dataset KMNIST, but a\.ckpt with MNIST",
    ),
    "data": (
        ["a.ckpt", "b.ckpt"],
        lambda path: save(path, seed=1, **IDENTITY | {"data_sha256": "d2"}),
        r"b\.ckpt: trained with data_sha256 d2, but a\.ckpt with d1",
    ),
    "split": (
        ["a.ckpt", "b.ckpt"],
        lambda path: save(path, seed=1, **IDENTITY | {"split_sha256": "s2"}),
        r"b\.ckpt: trained with split_sha256 s2, but a\.ckpt with s1",
    ),
    "pixels": (
        ["a.ckpt", "b.ckpt"],
        lambda path: save(path, seed=1, **IDENTITY | {"pixels": "-1 to 1"}),
        r"b\.ckpt: trained with pixels -1 to 1, but a\.ckpt with 0 to 1",
    ),
    "damaged": (["a.ckpt", "b.ckpt"], damage, r"b\.ckpt: damaged, or no checkpoint"),
    "no checkpoint": (
        ["a.ckpt", "b.ckpt"],
        lambda path: torch.save({"weights": 1}, path),
        r"b\.ckpt: holds no Lightning checkpoint",
    ),
    "another network": (
        ["a.ckpt", "b.ckpt"],
        other_network,
        r"b\.ckpt: names no class, such as my_module\.Net; add --model\.classes",
    ),
    "other weights": (
        ["a.ckpt", "b.ckpt"],
        other_weights,
        r"b\.ckpt: holds weights of DenseModule, which do not fit DenseModule",
    ),
    "no tensors": (["a.ckpt", "b.ckpt"], no_tensors, r"b\.ckpt: damaged"),
}


@pytest.mark.parametrize(("paths", "make", "message"), REFUSED.values(), ids=REFUSED)
def test_invalid_committees_are_refused_with_the_file_s_name(here, paths, make, message):
    save(here / "a.ckpt", **IDENTITY)
    if make:
        make(here / "b.ckpt")
    with pytest.raises(UserError, match=message) as raised:
        EnsembleModule(paths).configure_model()
    assert "\n" not in str(raised.value)


def test_differing_members_are_refused_if_the_first_has_no_fingerprint(here):
    save(here / "a.ckpt")
    save(here / "b.ckpt", seed=1, **IDENTITY)
    save(here / "c.ckpt", seed=2, **IDENTITY | {"split_sha256": "s2"})
    with pytest.raises(UserError, match=r"c\.ckpt: trained with split_sha256 s2, but b\.ckpt"):
        EnsembleModule(["a.ckpt", "b.ckpt", "c.ckpt"]).configure_model()


def test_loading_members_draws_no_random_numbers(here):
    for seed, kind in enumerate((DenseModule, SimpleConvModule, DeepConvModule)):
        save(here / f"{seed}.ckpt", kind, seed)
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    EnsembleModule("*.ckpt").configure_model()
    after = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2]


def test_members_are_loaded_once(here):
    for seed in range(2):
        save(here / f"{seed}.ckpt", seed=seed)
    module = EnsembleModule("*.ckpt")
    module.configure_model()
    nets = list(module.nets)
    module.configure_model()
    assert all(net is other for net, other in zip(nets, module.nets, strict=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_members_may_have_weights_of_another_precision(here, dtype):
    nets = [save(here / f"{seed}.ckpt", seed=seed) for seed in range(2)]
    content = torch.load("1.ckpt", weights_only=True)
    content["state_dict"] = {k: value.to(dtype) for k, value in content["state_dict"].items()}
    torch.save(content, "1.ckpt")
    shown = digits(20, 5)[0].unsqueeze(1) / 255
    with torch.no_grad():
        output = EnsembleModule("*.ckpt")(shown).exp()
        mean = (nets[0](shown).softmax(1) + nets[1](shown).softmax(1)) / 2
    torch.testing.assert_close(output, mean, atol=1e-3, rtol=0)


def test_a_member_s_score_is_that_of_its_own_weights(here):
    """The rows of metrics.csv end with the epoch before, within an epoch."""
    for seed in range(2):
        save(here / f"{seed}.ckpt", seed=seed)
    content = torch.load("1.ckpt", weights_only=True) | {"global_step": 7}
    for step, expected in ((7, 0.75), (6, None)):
        content["callbacks"][entries.BEST] = {
            "measured": {"epoch": 3, "step": step, "val_acc": 0.75}
        }
        torch.save(content, "1.ckpt")
        committee = EnsembleModule("*.ckpt")
        committee.configure_model()
        assert [member.val_acc for member in committee.members] == [0.5, expected]
