"""Faults of a loadable checkpoint that prevent resuming."""

import copy

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging

from lit_mnist.models.modules import SimpleConvModule
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.runs import entries
from lit_mnist.runs.resume_check import fault, other, unlike
from tests.trained import put

ADAM = ("optimizer_states", 0, "state", 0)  # of the small net's first kernels, (4, 1, 5, 5)
LOOP = ("loops", "fit_loop")
BROKEN = {  # faults of a loadable checkpoint, and their descriptions
    "no optimizer": (
        put("optimizer_states", ...),
        "holds weights only, not the state needed to resume training",
    ),
    "no optimizers": (put("optimizer_states", []), "optimizer_states does not have 1 items"),
    "moments of a list": (put("optimizer_states", 0, "state", []), "state is not a dict"),
    "one moment": (
        put(*ADAM, "exp_avg_sq", ...),
        "optimizer_states.0.state.0.exp_avg_sq is missing",
    ),
    # PyTorch's fused Adam would write behind the end of it
    "short moments": (
        put(*ADAM, "exp_avg", torch.zeros(3)),
        "exp_avg is not a tensor (4, 1, 5, 5)",
    ),
    "moments of text": (put(*ADAM, "exp_avg", "x"), "exp_avg is not a tensor"),
    "moments of integers": (
        put(*ADAM, "exp_avg", torch.zeros(4, 1, 5, 5, dtype=torch.int64)),
        "exp_avg holds no finite numbers",
    ),
    "moments of NaN": (
        put(*ADAM, "exp_avg", torch.full((4, 1, 5, 5), torch.nan)),
        "exp_avg holds no finite numbers",
    ),
    "rate of NaN": (put("optimizer_states", 0, "param_groups", 0, "lr", torch.nan), "lr is no"),
    "one beta": (
        put("optimizer_states", 0, "param_groups", 0, "betas", (0.9,)),
        "betas does not have 2",
    ),
    "no schedule": (put("lr_schedulers", []), "lr_schedulers does not have 1 items"),
    "schedule of text": (
        put("lr_schedulers", 0, "best", "x"),
        "lr_schedulers.0.best is not a number",
    ),
    "no loops": (put("loops", ...), "loops is missing"),
    "loops of a list": (put("loops", []), "loops is not a dict"),
    "no progress": (put(*LOOP, "epoch_progress", ...), "epoch_progress is missing"),
    "epochs of text": (
        put(*LOOP, "epoch_progress", "current", "processed", "x"),
        "processed is not a number",
    ),
    "a place of text": (
        put(*LOOP, "state_dict", {"combined_loader": [{"epoch": 0, "step": "x"}]}),
        "step is not a number",
    ),
    "sums of text": (put(entries.SCORES, ["x"]), "train_scores.total is not a tensor"),
    "rows of others": (put("callbacks", entries.METRICS, "rows", [{"a": 1}]), "rows are not those"),
    "no epoch": (put("epoch", ...), "epoch is missing"),
    "no weight": (put("state_dict", "net.0.bias", ...), "weights do not fit"),
}


@pytest.fixture(scope="module")
def whole(trained_runs):
    return torch.load(next(trained_runs.rglob("last.ckpt")), weights_only=True)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)


def test_an_intact_checkpoint_has_no_fault(whole, trainer):
    model = SimpleConvModule(plateau=True)
    weights = copy.deepcopy(model.state_dict())
    before = torch.get_rng_state()
    assert fault(whole, trainer, model) == ""
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("action", "message"), BROKEN.values(), ids=BROKEN)
def test_a_fault_is_reported_with_its_place(whole, trainer, action, message):
    broken = copy.deepcopy(whole)
    action(broken)
    assert message in fault(broken, trainer, SimpleConvModule(plateau=True))


OTHERS = [
    (
        put(entries.KINDS, {"optimizers": ["SGD"]}),
        "saved with 'SGD', and configure_optimizers now makes 'Adam'",
    ),
    (
        put(entries.KINDS, {"optimizers": ["Adam"], "schedules": []}),
        "saved with 'no schedules', and configure_optimizers now makes 'Plateau'",
    ),
    (
        lambda saved: saved["optimizer_states"][0]["param_groups"].append({"params": [8, 9]}),
        "saved with groups of 8 and 2 weights in its Adam, and configure_optimizers now makes 8",
    ),
]


@pytest.mark.parametrize(("action", "message"), OTHERS)
def test_other_optimizers_are_no_damage(whole, trainer, action, message):
    changed = copy.deepcopy(whole)
    model = SimpleConvModule(plateau=True)
    assert other(changed, trainer, model) == ""
    action(changed)
    assert fault(changed, trainer, model) == ""
    assert other(changed, trainer, model) == message


def test_a_checkpoint_within_an_epoch_has_no_fault(whole, trainer):
    within = copy.deepcopy(whole)
    put("loops", "fit_loop", "state_dict", {"combined_loader": [{"epoch": 2, "step": 3}]})(within)
    kept = [torch.tensor([0.5, 0.5]), *[torch.tensor([1, 2])] * 3]  # of two ranks, as in 0.1
    named = dict(zip(RunningScores().partial_sums(), [*kept, torch.tensor([0, 0])], strict=True))
    for partial in (kept, named):
        model = SimpleConvModule(plateau=True)
        assert fault(within | {entries.SCORES: partial}, trainer, model) == ""


def test_a_weight_without_optimizer_state_has_no_fault(whole, trainer):
    frozen = copy.deepcopy(whole)
    del frozen["optimizer_states"][0]["state"][0]
    assert fault(frozen, trainer, SimpleConvModule(plateau=True)) == ""


class Asking(SimpleConvModule):
    """Its optimizer reads `ask` of the trainer, which is not set up yet; without `ask` it fails."""

    ask = "estimated_stepping_batches"

    def configure_optimizers(self):
        if not self.ask:
            raise ValueError("a mistake of the user's")
        return torch.optim.Adam(self.parameters(), lr=1 / getattr(self.trainer, self.ask))


class OwnAdam(torch.optim.Adam):
    """Its state has infinite values beside Adam's."""

    def step(self, closure=None):
        loss = super().step(closure)
        for state in self.state.values():
            state["lowest"] = float("inf")
        return loss


class OfOwnAdam(SimpleConvModule):
    def configure_optimizers(self):
        return OwnAdam(self.parameters(), fused=True)


def test_the_moments_of_a_user_s_adam_are_checked_and_nothing_else_of_it(whole, trainer):
    model = OfOwnAdam()
    optimizer = model.configure_optimizers()
    model(torch.zeros(1, 1, 28, 28)).sum().backward()
    optimizer.step()
    saved = whole | {"optimizer_states": [optimizer.state_dict()], "lr_schedulers": []}
    saved[entries.KINDS] = {"optimizers": ["OwnAdam"], "schedules": []}
    assert fault(saved, trainer, model) == ""
    broken = copy.deepcopy(saved)
    put(*ADAM, "exp_avg", torch.zeros(3))(broken)
    assert "exp_avg is not a tensor (4, 1, 5, 5)" in fault(broken, trainer, model)


MOMENTS = [name for name in BROKEN if "moment" in name or "optimizer" in name or "rate" in name]


@pytest.mark.parametrize("name", MOMENTS)
def test_optimizers_that_depend_on_the_trainer_are_checked(whole, trainer, name):
    action, message = BROKEN[name]
    broken = copy.deepcopy(whole)
    action(broken)
    model = Asking()
    assert fault(whole, trainer, model) == ""
    assert message in fault(broken, trainer, model)
    assert model._trainer is None


@pytest.mark.parametrize("ask", ["no_such_thing", ""], ids=["of its trainer", "a mistake"])
def test_optimizers_that_cannot_be_made_yet_are_skipped(whole, trainer, ask):
    model = Asking()
    model.ask = ask
    assert fault(whole, trainer, model) == ""
    assert model._trainer is None


def test_flags_added_by_newer_libraries_may_be_missing():
    assert unlike({"a": 1, "fused": None, "flag": True}, {"a": 2}) == ""
    assert unlike({"a": {"b": [1, 2.0]}}, {"a": {"b": [1, "x"]}}) == "a.b.1 is not a number"


class NumbersOfNumPy(SimpleConvModule):
    """Its optimizer and schedule have NumPy numbers, which checkpoints hold as plain ones."""

    def configure_optimizers(self):
        configured = super().configure_optimizers()
        configured["optimizer"].param_groups[0] |= {"lr": np.float32(0.001), "eps": np.float16(0)}
        return configured


def test_numpy_numbers_are_compared_as_stored(whole, trainer):
    model = NumbersOfNumPy(plateau=True)
    assert fault(whole, trainer, model) == ""
    broken = copy.deepcopy(whole)
    put("optimizer_states", 0, "param_groups", 0, "eps", "x")(broken)
    assert "param_groups.0.eps is not a number" in fault(broken, trainer, model)


class Averaged(SimpleConvModule):
    """Brings a callback that replaces its schedule."""

    def configure_callbacks(self):
        return StochasticWeightAveraging(0.1)


def test_a_module_s_own_callback_may_replace_its_schedule(whole, trainer):
    replaced = copy.deepcopy(whole)
    put("lr_schedulers", [])(replaced)
    model = Averaged(plateau=True)
    assert fault(replaced, trainer, model) == ""
    assert model._trainer is None


class ResizedInSetup(SimpleConvModule):
    """Makes a layer of the right size only in `setup`, which Lightning calls before it loads."""

    def __init__(self, **options):
        super().__init__(**options)
        self.net[0] = torch.nn.Conv2d(1, 3, 5, padding="same")

    def setup(self, stage):
        self.net[0] = torch.nn.Conv2d(1, 4, 5, padding="same")


def test_moments_are_compared_with_weights_only_once_their_layers_are_made(whole, trainer):
    model = ResizedInSetup(plateau=True)
    broken = copy.deepcopy(whole)
    put(*ADAM, "exp_avg", torch.zeros(3))(broken)
    assert (fault(whole, trainer, model), other(whole, trainer, model)) == ("", "")
    assert fault(broken, trainer, model) == ""
    model.setup("fit")
    assert fault(whole, trainer, model) == ""
    assert "exp_avg is not a tensor (4, 1, 5, 5)" in fault(broken, trainer, model)
