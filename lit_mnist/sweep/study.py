"""Optuna's study: its storage, sampler and pruner."""

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial

from lit_mnist.errors import UserError
from lit_mnist.runs.config_changes import shown
from lit_mnist.sweep.numbers import number_of

HEARTBEAT_S = 60  # a trial without a sign of life for twice as long counts as abandoned
_ATTEMPTS = 3  # two processes may create the tables of a new database at the same time
_RETRIES = 3  # of a killed trial: it may itself bring down the machine


def opened(
    storage: str, name: str, seed: int, spare_epochs: int, settings: Mapping[str, Any]
) -> optuna.Study:
    """Opens a study, or creates it.

    Args:
        storage: URL of the storage, as SQLAlchemy writes it.
        name: Name of the study in the storage.
        seed: Seed of the sampler.
        spare_epochs: Epochs of a trial before it may be pruned.
        settings: Settings that must not change when the study is resumed, in plain values.

    Raises:
        UserError: The storage cannot be opened, or the study was created with other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
    study = _created(storage, name, seed, spare_epochs)
    for key, value in settings.items():
        before = study.user_attrs.get(key, value)
        if before != value:
            raise UserError(
                f"the {key} of the sweep {name} changed: {_difference(before, value)}; choose"
                " another --name"
            )
        study.set_user_attr(key, value)
    return study


def _created(storage: str, name: str, seed: int, spare_epochs: int) -> optuna.Study:
    for attempt in range(_ATTEMPTS):
        try:
            return optuna.create_study(
                storage=_storage(storage),
                sampler=SamplerByNumber(seed),
                pruner=optuna.pruners.MedianPruner(n_warmup_steps=spare_epochs),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            why = "no such database, or its driver is not installed"
            raise UserError(f"--storage {_shown(storage)}: {why} ({_reason(error)})") from error
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as e:
            if attempt == _ATTEMPTS - 1:
                raise UserError(f"--storage {_shown(storage)}: {_reason(e)}; correct it") from e
            time.sleep(1)
    raise AssertionError("the last attempt returns or raises")


def _storage(url: str) -> RDBStorage:
    busy = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    return RDBStorage(
        url,
        engine_kwargs=busy,
        heartbeat_interval=HEARTBEAT_S,
        heartbeat_stale_trial_callback=retry,
    )


with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
    retry = RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES, inherit_intermediate_values=True)


def sqlite_url(path: Path) -> str:
    """Returns the URL of a database file; escapes special characters of its path."""
    return str(sqlalchemy.URL.create("sqlite", database=str(path)))


def _shown(url: str) -> str:
    """Returns a URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).strip().partition("\n")[0][:150]


def _difference(before: Any, now: Any) -> str:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{shown(before)}, now {shown(now)}"
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    changes = [(key, shown(before.get(key)), shown(now.get(key))) for key in keys[:5]]
    return "; ".join(f"{key} {one}, now {other}" for key, one, other in changes)


class SamplerByNumber(BaseSampler):
    """Draws each trial's options by Optuna's TPE, seeded by the sweep's seed and its number.

    The options thus depend on the seed and the earlier trials, but not on how often the sweep was
    stopped, and processes that share a study draw different ones.

    Args:
        seed: Seed of the sweep.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.number, self.sampler = -1, TPESampler()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Prepares the trial's sampler."""
        self._of(study, trial).before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the options that are drawn jointly."""
        return self._of(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws the options of the joint space."""
        return self._of(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws one option that is not in the joint space."""
        return self._of(study, trial).sample_independent(
            study, trial, param_name, param_distribution
        )

    def _of(self, study: optuna.Study, trial: FrozenTrial) -> TPESampler:
        if trial.number != self.number:
            place = number_of(trial, study.get_trials(deepcopy=False))
            (seed,) = np.random.SeedSequence([self.seed, place]).generate_state(1)
            self.number, self.sampler = trial.number, TPESampler(seed=int(seed))
        return self.sampler
