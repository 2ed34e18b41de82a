"""What a safetensors file holds, and what it cannot."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lit_mnist.errors import UserError
from lit_mnist.export import safetensors_file


def content(**hyperparameters):
    one = {"state_dict": {"weight": torch.zeros(2)}, "hyper_parameters": hyperparameters}
    trained = SimpleNamespace(checkpoints=[one], paths=[Path("a.ckpt")], weights_sha256="")
    return safetensors_file.content(trained, {})


@pytest.mark.parametrize("table", [{1: 0.5}, {"a": [{2: 1}]}, {"a": ({None: 1},)}])
def test_keys_that_json_would_make_texts_are_refused(table):
    with pytest.raises(UserError, match=r"hyperparameters \(the key .* is no text\); take"):
        content(table=table)


def test_a_module_s_own_entry_with_such_keys_is_left_out():
    one = {"state_dict": {"weight": torch.zeros(2)}, "hyper_parameters": {}, "own": {1: 2}}
    trained = SimpleNamespace(checkpoints=[one], paths=[Path("a.ckpt")], weights_sha256="")
    assert b"own" not in safetensors_file.content(trained, {})


def test_other_hyperparameters_are_held():
    assert b"0.25" in content(table={"a": {"b": [0.25]}}, lr=0.1)
