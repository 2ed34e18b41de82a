"""Checkpoints: what is refused, and that none of their content is executed."""

import pickle

import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule, SimpleConvModule
from lit_mnist.runs import checkpoints, digests, safe_torch
from lit_mnist.runs.weights import shapes
from lit_mnist.training.checkpoint_io import WholeFileCheckpointIO


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": DenseModule().state_dict(), "epoch": 3}, path)
    return path


def test_reads_an_intact_checkpoint(file):
    checkpoint = checkpoints.read(file)
    assert checkpoint["epoch"] == 3
    checkpoints.check_fits(checkpoint, DenseModule(), file)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.999])
def test_refuses_a_truncated_checkpoint(file, keep):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(UserError, match=r"a\.ckpt: damaged"):
        checkpoints.read(file)


class Payload:
    ran = False

    def __reduce__(self):
        return (setattr, (Payload, "ran", True))


def test_refuses_a_pickle_that_would_run_code(file):
    torch.save({"state_dict": {}, "extra": Payload()}, file)
    with pytest.raises(UserError, match="damaged, or no checkpoint"):
        checkpoints.read(file)
    file.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UserError, match="damaged, or no checkpoint"):
        checkpoints.read(file)
    assert not Payload.ran


@pytest.mark.parametrize("content", [[1, 2], {"weights": 1}, {"state_dict": 7}])
def test_refuses_other_than_lightning_checkpoints(file, content):
    torch.save(content, file)
    with pytest.raises(UserError, match="holds no Lightning checkpoint"):
        checkpoints.read(file)


def test_refuses_another_architecture_by_name(file):
    saved = checkpoints.read(file) | {
        "hyper_parameters": {"_class_path": "lit_mnist.models.modules.DenseModule"}
    }
    with pytest.raises(UserError, match="weights of DenseModule, which do not fit SimpleConv"):
        checkpoints.check_fits(saved, SimpleConvModule(), file)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"b\.ckpt: no such checkpoint"):
        checkpoints.read(tmp_path / "b.ckpt")


def test_the_hash_distinguishes_networks():
    weights = {"a": torch.arange(6.0), "b": torch.ones(2)}
    same = {"b": torch.ones(2), "a": torch.arange(6.0)}
    reshaped = weights | {"a": torch.arange(6.0).view(2, 3)}
    changed = weights | {"b": torch.tensor([1.0, 1.0000001])}
    hashes = [digests.of_weights(w) for w in (weights, same, reshaped, changed)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_views_that_are_conjugated_or_negated_later_are_hashed_and_saved(tmp_path):
    path = tmp_path / "some.ckpt"
    spectrum = torch.fft.fft(torch.arange(8.0))
    lazy = {"conjugate": spectrum.conj(), "negative": spectrum.conj().imag}
    whole = {name: value.resolve_conj().resolve_neg().clone() for name, value in lazy.items()}
    assert digests.of_weights(lazy) == digests.of_weights(whole)
    WholeFileCheckpointIO().save_checkpoint({"state_dict": lazy}, path)
    read = safe_torch.load(path)["state_dict"]
    assert all(torch.equal(read[name], value) for name, value in whole.items())


@pytest.mark.parametrize("rows", ["x", [1], [{"val_acc": "x"}], {}, None])
def test_refuses_invalid_history_rows(file, rows):
    saved = {"state_dict": {}, "callbacks": {"metrics": {"rows": rows}}}
    torch.save(saved, file)
    with pytest.raises(UserError, match=r"its rows of metrics\.csv are invalid"):
        checkpoints.read(file)


def test_returns_the_rows_of_the_history(file):
    assert checkpoints.history(checkpoints.read(file)) == []
    rows = [{"epoch": 0, "val_acc": 0.5}]
    torch.save({"state_dict": {}, "callbacks": {"History": {"rows": rows}}}, file)
    assert checkpoints.history(checkpoints.read(file)) == rows


def with_extra(state):
    weights = {"mask": torch.tensor([0.0, -torch.inf]), "net._extra_state": state}
    return weights | {"filter": torch.ones(2, dtype=torch.cfloat)}


def test_reads_extra_state_of_a_module(file):
    weights = with_extra({"seen": 3, "of": ["images"], "by": {"a", "b"}})
    torch.save({"state_dict": weights}, file)
    assert checkpoints.read(file)["state_dict"]["net._extra_state"] == weights["net._extra_state"]
    torch.save({"state_dict": {"net.weight": {"seen": 3}}}, file)
    with pytest.raises(UserError, match=r"net\.weight' is not a weight"):
        checkpoints.read(file)


def test_the_hash_covers_extra_state():
    states = [3, {"seen": 3}, {"seen": 4}, [3], torch.tensor(3), torch.tensor([3])]
    hashes = [digests.of_weights(with_extra(state)) for state in states]
    assert len(set(hashes)) == len(states)
    again = digests.of_weights(with_extra({"seen": 3}))
    assert again == hashes[1]


def test_extra_state_may_change_its_form():
    assert shapes(with_extra(3)) == shapes(with_extra(torch.ones(5)))


def test_a_parameter_must_be_finite_a_buffer_need_not():
    module = DenseModule()
    module.register_buffer("mask", torch.tensor([-torch.inf, torch.nan]))
    saved = {"state_dict": module.state_dict()}
    checkpoints.check("a.ckpt", saved)
    checkpoints.check_fits(saved, module, "a.ckpt")
    statistics = nn.Sequential(nn.Identity(), nn.BatchNorm2d(2))
    statistics[1].running_var[0] = torch.nan
    with pytest.raises(UserError, match=r"the weights 1\.running_var are not all finite"):
        checkpoints.check_fits({"state_dict": statistics.state_dict()}, statistics, "a.ckpt")
    saved["state_dict"]["net.1.bias"] = torch.full_like(module.net[1].bias, torch.inf)
    with pytest.raises(UserError, match=r"a\.ckpt: the weights net\.1\.bias are not all finite"):
        checkpoints.check_fits(saved, module, "a.ckpt")
