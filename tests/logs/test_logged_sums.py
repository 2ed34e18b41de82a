"""What was logged before a resume, and is logged otherwise after it."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultCollection

from lit_mnist.logs import logged_sums


def trainer():
    """A trainer as far as its results."""
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(_results=_ResultCollection(training=True)))
    strategy = SimpleNamespace(reduce=lambda value, **_: 100 * value)  # as of a hundred ranks
    return SimpleNamespace(fit_loop=loop, strategy=strategy, lightning_module=LightningModule())


def log(to, *values, **how):
    for value in values:
        results = to.fit_loop.epoch_loop._results
        results.log("step", "loss", torch.tensor(value), batch_size=1, **how)


def shown(of, on_step):
    return {
        key: v.item() for key, v in of.fit_loop.epoch_loop._results.metrics(on_step)["log"].items()
    }


def held(*values, **how):
    """A trainer that holds what another has logged."""
    before, after = trainer(), trainer()
    log(before, *values, **how)
    for key, one in logged_sums.of(before).items():
        logged_sums.hold(after, key, logged_sums.saved(one))
    return after


@pytest.mark.parametrize("how", [{"on_epoch": False}, {"on_epoch": True}])
def test_code_that_has_changed_may_log_a_value_otherwise_and_is_believed(how):
    after = held(1.0, 2.0, on_step=True, **how)
    name = "loss_step" if how["on_epoch"] else "loss"
    assert shown(after, on_step=True) == {name: 2}
    log(after, 5.0, on_step=True, prog_bar=True, **how)
    assert shown(after, on_step=True) == {name: 5}


def test_a_value_that_ranks_have_shared_is_not_shared_again_but_its_sums_are():
    how = {"on_step": True, "on_epoch": True, "reduce_fx": "max", "sync_dist": True}
    after = held(1.0, 2.0, sync_dist_fn=lambda value, **_: 10 * value, **how)
    assert shown(after, on_step=True) == {"loss_step": 20}
    assert shown(after, on_step=False) == {"loss_epoch": 200}


def test_a_value_of_one_rank_is_never_shared():
    after = held(1.0, 2.0, reduce_fx="max", sync_dist=True, rank_zero_only=True)
    assert shown(after, on_step=False) == {"loss": 2}


def test_what_is_held_is_not_saved_and_ends_with_the_epoch():
    after = held(1.0, on_step=True)
    assert logged_sums.of(after) == {}
    after.fit_loop.epoch_loop._results.reset()
    assert shown(after, on_step=True) == {}


@pytest.mark.parametrize("reduce_fx", ["mean", "sum", "max", "min"])
def test_a_value_as_of_the_epoch_s_end_is_what_lightning_shows_and_leaves_the_sums(reduce_fx):
    def add_ranks(value, **_):  # in place, as a strategy does
        return value.mul_(10)

    now = trainer()
    how = {"on_step": True, "reduce_fx": reduce_fx, "sync_dist": True, "sync_dist_fn": add_ranks}
    log(now, 1.0, 4.0, **how)
    first, again = (logged_sums.epoch_values(now) for _ in range(2))
    assert first == again == {"loss": {"mean": 2.5, "sum": 50, "max": 40, "min": 10}[reduce_fx]}
    log(now, 2.5, **how)
    assert {"loss_epoch": logged_sums.epoch_values(now)["loss"]} == shown(now, on_step=False)


@pytest.mark.parametrize("how", [{}, {"on_step": True}, {"reduce_fx": "sum"}, {"reduce_fx": "max"}])
def test_values_are_added_to_saved_sums_in_the_order_in_which_they_are_logged(how):
    values = [0.8, 0.8, 0.4, 0.3, 0.5]  # of which another order of addition rounds otherwise
    whole, before, after = trainer(), trainer(), trainer()
    log(whole, *values, **how)
    log(before, *values[:2], **how)
    sums = {key: logged_sums.saved(one) for key, one in logged_sums.of(before).items()}
    for key, one in sums.items():
        logged_sums.hold(after, key, one)
    logged_sums.go_on(after, sums)
    assert logged_sums.epoch_values(after) == logged_sums.epoch_values(before)
    log(after, values[2], **how)
    log(after, *values[3:], **how)
    assert logged_sums.epoch_values(after) == logged_sums.epoch_values(whole)
    logged_sums.end(after)
    for one in (whole, after):
        one.fit_loop.epoch_loop._results.reset()
        log(one, *values[3:], **how)
    assert logged_sums.epoch_values(after) == logged_sums.epoch_values(whole)
