"""Keeps all of a training's state that a checkpoint holds, while hooks are called."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers import MetricTracker

from lit_mnist.machine.patching import replaced
from lit_mnist.resuming import generators, metric_states
from lit_mnist.resuming.last_metrics import PLACES


@contextmanager
def kept_state(trainer: Trainer) -> Iterator[None]:
    """Restores this state at the end: weights, optimizers, schedules, metrics, generators, logs.

    A request to stop is restored, too. Whoever keeps an entry of its own in checkpoints restores
    that itself. What has no place in them stays as the hooks leave it.
    """
    with ExitStack() as stack:
        stack.enter_context(_generators(trainer))  # first, and so restored last
        stack.enter_context(_logs(trainer))
        stack.enter_context(_optimization(trainer))
        stack.enter_context(_metrics(trainer.lightning_module))
        stack.enter_context(_weights(trainer.lightning_module))
        asked = trainer.should_stop  # `AskedStop` has it, from when the hooks were first called
        yield
        trainer.should_stop = asked


@contextmanager
def _weights(module: LightningModule) -> Iterator[None]:
    """Keeps weights, which of them are frozen, and gradients that were not used yet."""
    weights = {name: _copy(value) for name, value in module.state_dict().items()}
    trained = {name: one.requires_grad for name, one in module.named_parameters()}
    gradients = [(one, _copy(one.grad)) for one in module.parameters() if one.grad is not None]
    yield
    for one, gradient in gradients:
        one.grad = gradient
    module.load_state_dict(weights, strict=False)  # a module may leave some out of checkpoints
    for name, one in module.named_parameters():
        one.requires_grad_(trained.get(name, one.requires_grad))


@contextmanager
def _metrics(module: LightningModule) -> Iterator[None]:
    """Keeps the sums of metrics, which `PartialLogs` and `TrainLog` have loaded."""
    metrics = [one for one in module.modules() if isinstance(one, Metric)]
    kept = [metric_states.saved(one) for one in metrics]
    trackers = {one: len(one) for one in module.modules() if isinstance(one, MetricTracker)}
    yield
    for tracker, length in trackers.items():
        metric_states.set_length(tracker, length)
    for one, states in zip(metrics, kept, strict=True):
        metric_states.load(one, states)


@contextmanager
def _optimization(trainer: Trainer) -> Iterator[None]:
    """Keeps the states of optimizers and schedules; a hook may set others, which have their own."""
    optimizers = [
        (len(one.param_groups), copy.deepcopy(one.state_dict())) for one in trainer.optimizers
    ]
    schedules = [
        (config.scheduler, copy.deepcopy(config.scheduler.state_dict()))
        for config in trainer.lr_scheduler_configs
    ]
    yield
    for optimizer, (groups, state) in zip(trainer.optimizers, optimizers, strict=False):
        if len(optimizer.param_groups) == groups:
            optimizer.load_state_dict(state)
    for schedule, state in schedules:
        schedule.load_state_dict(state)


@contextmanager
def _logs(trainer: Trainer) -> Iterator[None]:
    """Keeps what is logged: `PartialLogs` and the loggers have it from the first call."""
    connector, results = trainer._logger_connector, trainer.fit_loop.epoch_loop._results
    kept = dict(results)
    metrics = {name: dict(getattr(connector, name)) for name in PLACES}
    silent: Any = [(one, "log_metrics", lambda *_, **__: None) for one in trainer.loggers]
    with replaced(*silent):
        yield
    results.clear()
    results.update(kept)
    for name, values in metrics.items():
        setattr(connector, name, values)


@contextmanager
def _generators(trainer: Trainer) -> Iterator[None]:
    device = trainer.strategy.root_device
    states = generators.states(device)
    yield
    generators.restore(states, device)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
