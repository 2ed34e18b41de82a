"""Steps without needless overhead: what Lightning still does, and what is left out."""

import inspect
from contextlib import nullcontext

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.profilers import PassThroughProfiler

from lit_mnist.workarounds import applied, light_steps
from tests.workarounds.stock import trainer


class Counted(BoringModel):
    """Has one step hook of its own."""

    def on_train_batch_start(self, batch, batch_idx):
        self.started = batch_idx + 1


class Asked(Callback):
    """Does nothing; counts the reads of `state_key`, by which Lightning names calls."""

    times = 0

    @property
    def state_key(self):
        Asked.times += 1
        return "asked"


class AlsoAsked(Asked):
    def on_train_batch_end(self, *_):
        self.ended = getattr(self, "ended", 0) + 1


def signatures_read(tmp_path, monkeypatch, callback):
    """Trains 50 steps; counts the reads of signatures and of the callback's `state_key`."""
    read = []
    original = inspect.getfullargspec
    monkeypatch.setattr(inspect, "getfullargspec", lambda fx: read.append(fx) or original(fx))
    Asked.times = 0
    model = Counted()
    many = trainer(
        tmp_path, max_steps=50, limit_train_batches=50, limit_val_batches=0, callbacks=[callback],
        enable_checkpointing=False,
    )  # fmt: skip
    many.fit(model)
    assert model.started == 50
    return len(read), Asked.times


def test_upstream_still_calls_empty_hooks_at_every_step(tmp_path, monkeypatch):
    reads, calls = signatures_read(tmp_path, monkeypatch, Asked())
    assert reads >= 50
    assert calls >= 50 * 6
    with applied.light_steps():
        reads, calls = signatures_read(tmp_path, monkeypatch, Asked())
    assert reads < 10
    assert calls < 50


def test_light_steps_call_every_overridden_hook(tmp_path, monkeypatch):
    with applied.light_steps():
        own, calls = AlsoAsked(), []
        signatures_read(tmp_path, monkeypatch, own)
        assert own.ended == 50
        late = LambdaCallback(on_before_zero_grad=lambda *_: calls.append(1))  # on the instance
        signatures_read(tmp_path, monkeypatch, late)
        assert len(calls) == 50


def test_light_steps_allow_logging_in_step_hooks(tmp_path):
    logs = LambdaCallback(on_train_batch_end=lambda t, module, *_: module.log("seen", 3.0))
    one = trainer(tmp_path, max_steps=2, limit_val_batches=0, callbacks=[logs])
    with applied.light_steps():
        one.fit(BoringModel())
    assert one.callback_metrics["seen"] == 3.0
    assert one.lightning_module._current_fx_name is None


class Timed(PassThroughProfiler):
    """A user's profiler."""

    def __init__(self):
        super().__init__()
        self.actions = []

    def start(self, action_name):
        self.actions.append(action_name)


def test_light_steps_skip_only_the_pass_through_profiler():
    with applied.light_steps():
        timed = Timed()
        with timed.profile("a step"), PassThroughProfiler().profile("another"):
            assert timed.actions == ["a step"]


class Grown(Callback):
    """Gives itself hooks as training starts and within a step, and the trainer another callback."""

    def __init__(self):
        self.own, self.within, self.other = [], [], []
        self.late = LambdaCallback(on_before_backward=lambda *_: self.other.append(1))

    def on_train_start(self, trainer, pl_module):
        self.on_after_backward = lambda *_: self.own.append(trainer.global_step)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 1:
            self.on_before_zero_grad = lambda *_: self.within.append(1)
        if batch_idx == 3:
            trainer.callbacks[-1] = self.late  # the list's length stays


def test_hooks_that_come_late_are_called(tmp_path):
    for steps in (applied.light_steps, nullcontext):
        grown = Grown()
        callbacks = [grown, Callback()]
        with steps():
            trainer(
                tmp_path, max_steps=6, limit_train_batches=6, limit_val_batches=0,
                callbacks=callbacks, enable_checkpointing=False,
            ).fit(BoringModel())  # fmt: skip
        assert grown.own == [0, 1, 2, 3, 4, 5]
        assert (len(grown.within), len(grown.other)) == (4, 2)  # from steps 2 and 4


def test_callbacks_are_not_asked_at_every_step(tmp_path, monkeypatch):
    asked = []
    original = light_steps.overrides

    def overrides(thing, base, hook):
        asked.extend([hook] if base is Callback else [])
        return original(thing, base, hook)

    monkeypatch.setattr(light_steps, "overrides", overrides)
    with applied.light_steps():
        signatures_read(tmp_path, monkeypatch, AlsoAsked())
    assert 6 <= len(asked) < 50


class Weighted(Callback, torch.nn.Module):
    """A callback with weights of its own, as one for a second network."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.weights = torch.nn.Parameter(torch.ones(2))


class Noted:
    """Notes what is set on an instance."""

    def __setattr__(self, name, value):
        vars(self).setdefault("noted", []).append(name)
        super().__setattr__(name, value)


class Mixed(BoringModel, Noted):
    pass


def test_light_steps_leave_attributes_to_other_bases():
    for steps in (nullcontext, applied.light_steps, nullcontext):
        with steps():
            assert [name for name, _ in Weighted().named_parameters()] == ["weights"]
            mixed = Mixed()
            mixed.extra = 3
            assert "extra" in mixed.noted
    assert not {"__setattr__"} & (vars(Callback).keys() | vars(LightningModule).keys())


def test_light_steps_register_what_is_set_on_a_module(tmp_path):
    with applied.light_steps():
        module = BoringModel()
        module.extra = torch.nn.Parameter(torch.ones(2))
        module.part = torch.nn.Linear(2, 2)
        module._current_fx_name = "on_train_start"
    assert {"extra", "part.weight"} <= dict(module.named_parameters()).keys()
    assert module._current_fx_name == "on_train_start"
