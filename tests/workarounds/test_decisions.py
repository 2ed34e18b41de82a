"""What ranks decide together, without processes; real ranks are in `tests/test_ddp.py`."""

import inspect
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import OnExceptionCheckpoint
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.tuner.lr_finder import _LRCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.workarounds import decisions


class OtherRank:
    """The strategy of two ranks, of which the other has a metric of 4."""

    root_device = torch.device("cpu")

    def reduce(self, value, reduce_op):
        assert reduce_op == "mean"
        return value.add_(4).div_(2)  # in place, as Lightning does


def loop(world_size, **attributes):
    trainer = SimpleNamespace(world_size=world_size, strategy=OtherRank(), **attributes)
    return SimpleNamespace(trainer=trainer)


@pytest.mark.parametrize(("ranks", "mean"), [(1, 2.0), (2, 3.0)])
def test_a_schedule_goes_by_the_mean_over_ranks(ranks, mean):
    own = torch.tensor(2.0)
    place = loop(ranks, callback_metrics={"loss": own})
    with decisions.one_schedule():
        assert _TrainingEpochLoop._get_monitor_value(place, "loss") == mean
        assert _TrainingEpochLoop._get_monitor_value(place, "other") is None
    assert own == 2.0
    assert _TrainingEpochLoop._get_monitor_value(place, "loss") is own  # upstream still


def test_ranks_validate_once_the_time_is_up_on_one(monkeypatch):
    monkeypatch.setattr(_TrainingEpochLoop, "_should_check_val_fx", lambda *_: False)
    with decisions.one_moment_to_validate():
        for ranks, seconds, due in ((1, 9.0, False), (2, None, False), (2, 9.0, True)):
            place = loop(ranks, _val_check_time_interval=seconds)
            place.trainer.strategy.reduce_boolean_decision = lambda _, all: not all
            assert _TrainingEpochLoop._should_check_val_fx(place, None) is due


def test_upstream_still_has_each_rank_look_at_its_own_clock():
    source = inspect.getsource(_TrainingEpochLoop._should_check_val_fx)
    assert "time.monotonic()" in source
    assert "strategy" not in source


@pytest.mark.parametrize(("ranks", "loss"), [(1, 2.0), (2, 3.0)])
def test_a_rate_is_searched_by_the_loss_of_all_ranks(ranks, loss):
    search = _LRCallback(5)
    trainer = loop(ranks).trainer
    trainer.fit_loop = SimpleNamespace(batch_idx=0)
    trainer.accumulate_grad_batches, trainer.global_step, trainer.should_stop = 1, 1, False
    trainer.strategy.broadcast = lambda value: value
    with decisions.one_search():
        search.on_train_batch_end(trainer, None, {"loss": torch.tensor(2.0)}, None, 0)
        search.on_train_batch_end(trainer, None, None, None, 1)  # a step that was skipped
    # with its momentum of 0.98
    assert search.losses[0] == pytest.approx(0.02 * loss / (1 - 0.98**2))
    assert search.losses[1] != search.losses[1]


@pytest.mark.parametrize(
    ("ranks", "error", "saved"),
    [(1, ValueError(), ["it"]), (2, ValueError(), []), (2, SIGTERMException(), ["it"])],
)
def test_a_rank_that_fails_waits_for_no_other_to_save(monkeypatch, ranks, error, saved):
    done = []
    monkeypatch.setattr(OnExceptionCheckpoint, "on_exception", lambda *_: done.append("it"))
    with decisions.no_rescue_by_one():
        OnExceptionCheckpoint("rescued").on_exception(loop(ranks).trainer, None, error)
    assert done == saved


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize(("ranks", "loaded"), [(1, ["before"]), (2, [])])
def test_a_rank_that_fails_in_a_search_waits_for_no_other(monkeypatch, ranks, loaded, error):
    done, removed = [], []
    monkeypatch.setattr(_CheckpointConnector, "restore", lambda _, path: done.append(path))
    trainer = loop(ranks).trainer
    trainer.strategy.remove_checkpoint = removed.append
    trainer._checkpoint_connector = object.__new__(_CheckpointConnector)
    trainer._checkpoint_connector.trainer = trainer
    trainer.fit_loop = SimpleNamespace(load_state_dict=lambda _: None)

    def stopped():
        raise error

    def searched():  # as Lightning does
        try:
            lr_finder._try_loop_run(trainer, {"loop_state_dict": {}})
        finally:
            trainer._checkpoint_connector.restore("before")

    trainer.fit_loop.run = stopped
    with decisions.no_return_by_one(), pytest.raises(error):
        searched()
    assert done == loaded
    assert removed == ([] if loaded else ["before"])


def test_upstream_still_loads_after_a_failed_search():
    _, last = inspect.getsource(lr_finder._lr_find).split("finally:")
    assert "_checkpoint_connector.restore" in last
    assert "barrier" in inspect.getsource(_CheckpointConnector.resume_end)


def test_upstream_still_has_a_failing_rank_wait_for_all():
    assert "trainer.save_checkpoint" in inspect.getsource(OnExceptionCheckpoint.on_exception)
    assert "strategy.barrier" in inspect.getsource(Trainer.save_checkpoint)
