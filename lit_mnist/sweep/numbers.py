"""Numbers of trials, the same however often a sweep is stopped and by how many processes it is run.

Optuna gives the retry of a killed trial a number of its own, and one to a trial that is not wanted.
"""

from collections.abc import Iterable

from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial

SURPLUS = "surplus"  # attribute of a trial that began when all wanted ones had


def number_of(trial: FrozenTrial, trials: Iterable[FrozenTrial]) -> int:
    """Returns how many wanted trials began before a trial; a retry began with the killed one.

    Args:
        trial: The trial.
        trials: All trials of its study.
    """
    began = _began(trial)
    wanted = {_began(one) for one in trials if SURPLUS not in one.user_attrs}
    return sum(one < began for one in wanted)


def _began(trial: FrozenTrial) -> int:
    """Returns Optuna's number of a trial, or of the killed one that it continues."""
    before = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if before is None else before
