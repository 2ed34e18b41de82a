"""Copies of modules, also of those with weights that they compute from others."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from lit_mnist.runs import copies
from lit_mnist.runs.weights import misfit


def pruned():
    return prune.l1_unstructured(nn.Linear(4, 3), "weight", amount=0.3)


@pytest.mark.parametrize("copy", [copies.deep, copies.copied])
def test_a_pruned_module_is_copied(copy):
    module, images = pruned(), torch.ones(2, 4)
    other = copy(module)
    assert other is not module
    torch.testing.assert_close(other(images), module(images))
    with torch.no_grad():
        module.weight_orig.zero_()
    assert other(images).ne(module(images)).any()


def test_what_is_shared_is_not_copied():
    module, shared = nn.Linear(2, 2), object()
    module.trainer = shared
    assert copies.deep(module, shared).trainer is shared


def test_a_pruned_module_s_own_hook_tells_which_weights_fit():
    class Adds(nn.Linear):
        def on_load_checkpoint(self, checkpoint):
            checkpoint["state_dict"]["weight_mask"] = self.weight_mask

    module = prune.l1_unstructured(Adds(4, 3), "weight", amount=0.3)
    saved = module.state_dict()
    del saved["weight_mask"]
    assert misfit(saved, module, {}) == ""
