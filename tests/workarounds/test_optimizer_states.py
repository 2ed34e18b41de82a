"""Optimizers go on from their saved states as if they had not been interrupted."""

import copy

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import nn

from lit_mnist.workarounds.optimizer_states import _CAST, of_these_weights, whole_counts


def steps(optimizer, gradients):
    weights = optimizer.param_groups[0]["params"][0]
    for gradient in gradients:
        weights.grad = gradient.clone()
        optimizer.step()
    return weights


def gone_on(kind, dtype):
    """The weights after eight steps, and after as many with a resume in between."""
    draws = torch.Generator().manual_seed(0)
    first, *gradients = torch.randn(9, 4, 5, generator=draws, dtype=torch.float64).to(dtype)
    optimizer = kind([torch.nn.Parameter(first)], lr=0.01)
    between = steps(optimizer, gradients[:4]).detach().clone()
    resumed = kind([torch.nn.Parameter(between)], lr=0.01)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    states = [one.state_dict()["state"][0] for one in (optimizer, resumed)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    return steps(optimizer, gradients[4:]), steps(resumed, gradients[4:])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [torch.optim.NAdam, torch.optim.ASGD, torch.optim.Adam])
def test_an_optimizer_resumes_in_any_precision(kind, dtype):
    with whole_counts():
        assert torch.equal(*gone_on(kind, dtype))


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"capturable": True}])
def test_a_count_of_steps_is_loaded_as_by_pytorch(options):
    count = torch.tensor(3.0, dtype=torch.float64)
    group = {"params": [0], **options}
    given = (torch.zeros(2), count, 0, [group], "step")
    expected = getattr(torch.optim.Optimizer, _CAST)(*given)
    with whole_counts():
        found = getattr(torch.optim.Optimizer, _CAST)(*given)
    assert (found.dtype, found.item()) == (expected.dtype, 3.0)


def test_the_static_method_is_one_again_afterwards():
    with whole_counts():
        pass
    assert isinstance(vars(torch.optim.Optimizer)[_CAST], staticmethod)


def test_upstream_still_casts_single_numbers():
    with pytest.raises(AssertionError):
        gone_on(torch.optim.NAdam, torch.bfloat16)


PYTORCH_S = [
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam"),
    *("RAdam", "RMSprop", "Rprop", "SGD"),
]


class OwnAdam(torch.optim.Adam):
    """With a state of its own, of a shape of its own."""

    def step(self, closure=None):
        super().step(closure)
        for state in self.state.values():
            state["norms"] = torch.zeros(7)


def loaded(kind, shape, other):
    """Loads the state of an optimizer after a step into one of weights of another shape."""
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    weights = nn.Parameter(torch.ones(shape))
    saved = kind([weights], **options)
    weights.grad = torch.ones(shape)
    saved.step(lambda: torch.zeros(()))
    strategy = SingleDeviceStrategy("cpu")
    strategy.optimizers = [kind([nn.Parameter(torch.ones(other))], **options)]
    strategy.load_optimizer_state_dict({"optimizer_states": [saved.state_dict()]})


@pytest.mark.parametrize("shape", [(3, 2), (3,), ()])
@pytest.mark.parametrize("kind", [*(getattr(torch.optim, name) for name in PYTORCH_S), OwnAdam])
def test_an_optimizer_s_own_state_is_loaded(kind, shape):
    with of_these_weights():
        loaded(kind, shape, shape)


@pytest.mark.parametrize(("shape", "other"), [((3, 2), (2, 3)), ((), (3,)), ((3,), ())])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.NAdam, OwnAdam])
def test_a_state_of_weights_of_another_shape_is_refused(kind, shape, other):
    with of_these_weights(), pytest.raises(ValueError, match="it is of other weights"):
        loaded(kind, shape, other)


def test_upstream_still_loads_states_of_weights_of_other_shapes():
    loaded(torch.optim.Adam, (3, 2), (2, 3))
