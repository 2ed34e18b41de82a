"""Tracks the processes of a sweep and queues the trials of killed ones again.

Each process holds a lock in the sweep's folder while it lives, and its trials carry its name. If
the lock is free, those trials are abandoned. For processes that do not share the folder, Optuna's
heartbeat detects this within two minutes.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from lit_mnist.sweep.numbers import number_of
from lit_mnist.sweep.study import retry

WORKER, ERROR = "worker", "error"  # attributes of a trial: who runs it, why it failed


@contextmanager
def at_work(folder: Path) -> Iterator[str]:
    """Yields this process's name and holds its lock.

    If the block raises, the lock file stays, so that the abandoned trial can be found.
    """
    name = uuid.uuid4().hex[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(_lock(folder, name)):
        yield name
        _lock(folder, name).unlink(missing_ok=True)


def _lock(folder: Path, worker: str) -> Path:
    return folder / f".worker_{worker}.lock"


def requeue_abandoned(study: optuna.Study, folder: Path) -> list[int]:
    """Queues trials of dead processes again; returns their numbers."""
    found = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        path = _lock(folder, trial.user_attrs.get(WORKER, ""))
        if not path.exists():  # its process has not recorded its name yet, or is elsewhere
            continue
        try:
            with FileLock(path).acquire(timeout=0):
                if _state(study, trial.number) != TrialState.RUNNING:  # another process was first
                    continue
                study.tell(trial.number, state=TrialState.FAIL)
                retry(study, trial)
                found.append(number_of(trial, study.get_trials(deepcopy=False)))
                path.unlink(missing_ok=True)
        except Timeout:
            continue
    return found


def _state(study: optuna.Study, number: int) -> TrialState:
    return study.get_trials(deepcopy=False)[number].state


def counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Returns the trials that count: neither queued nor continued by a retry."""
    return [
        trial
        for trial in trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        or (trial.state == TrialState.FAIL and ERROR in trial.user_attrs)
    ]
