"""Optuna's study: its storage, what draws the options, and what ends a trial early."""

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

HEARTBEAT_S = 60  # a machine that has been silent for twice as long has lost its trial
_ATTEMPTS = 3  # two processes may make the tables of a new database at the same time
_RETRIES = 3  # of a trial that was killed, lest one that brings down its machine does so forever


def opened(
    storage: str, name: str, seed: int, spare_epochs: int, said: Mapping[str, Any]
) -> optuna.Study:
    """Opens a study, or begins it.

    Args:
        storage: Its URL, as SQLAlchemy has it.
        name: Under which the storage has it.
        seed: Of what is drawn.
        spare_epochs: Which every trial is given before it may be pruned.
        said: What must be the same whenever it is gone on with, by key, in plain values.

    Raises:
        UserError: The storage cannot be opened, or the study was begun otherwise.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
    study = _created(storage, name, seed, spare_epochs)
    for key, value in said.items():
        before = study.user_attrs.get(key, value)
        if before != value:
            raise UserError(
                f"the sweep {name} was begun with another {key}: {_difference(before, value)};"
                " choose another --name"
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
                raise UserError(f"--storage {_shown(storage)}: {_reason(e)}; mend it") from e
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
    """Gives the URL of a database in a file, whatever its name is made of."""
    return str(sqlalchemy.URL.create("sqlite", database=str(path)))


def _shown(url: str) -> str:
    """Gives a URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).strip().partition("\n")[0][:150]


def _difference(before: Any, now: Any) -> str:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{before}, now {now}"
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return "; ".join(f"{key} {before.get(key)}, now {now.get(key)}" for key in keys[:5])


class SamplerByNumber(BaseSampler):
    """Draws each trial's options by Optuna's TPE, seeded by the sweep's seed and its number.

    So what is drawn depends on the seed and on the trials before, but not on how often the sweep
    was stopped; and processes that share a study never draw the same, as they would by one seed.

    Args:
        seed: Of the sweep.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.number, self.sampler = -1, TPESampler()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Prepares for a trial."""
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Gives the options that are drawn together."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws them."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws one of the others."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def _of(self, trial: FrozenTrial) -> TPESampler:
        if trial.number != self.number:
            (seed,) = np.random.SeedSequence([self.seed, trial.number]).generate_state(1)
            self.number, self.sampler = trial.number, TPESampler(seed=int(seed))
        return self.sampler
