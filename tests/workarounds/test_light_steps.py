"""Steps without needless overhead: what Lightning still does, and what is left out."""

import inspect

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.profilers import PassThroughProfiler

from lit_mnist.workarounds import applied
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
