"""Runs the trials of a sweep: draws options, trains, reports to Optuna's study, writes records."""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from lit_mnist import program
from lit_mnist.commands import run_cli
from lit_mnist.commands.fit_messages import why_no_best
from lit_mnist.commands.sweep import Sweep
from lit_mnist.errors import UserError, one_line
from lit_mnist.runs.best_score import rounded
from lit_mnist.sweep import numbers, record, study, workers
from lit_mnist.sweep.record import Record, Trial
from lit_mnist.training.trial_pruning import TrialPruning

_HOPELESS = 3  # give up if this many trials failed and none succeeded
_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


class _SurplusError(Exception):
    """Another process has started the last of the wanted trials."""


class Trials:
    """Trains trials until the wanted number is reached.

    Args:
        sweep: The sweep.
        storage: URL of the database; None for a file in the sweep's folder.
        spare_epochs: Number of epochs before a trial may be pruned.
    """

    def __init__(self, sweep: Sweep, storage: str | None, spare_epochs: int) -> None:
        self.sweep, self.folder = sweep, sweep.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        url = storage or study.sqlite_url(self.folder / "study.db")
        seed = sweep.options["seed_everything"]
        self.study = study.opened(url, sweep.name, seed, spare_epochs, sweep.settings)
        self.best: int | None = None  # the trial whose config is written

    def run(self) -> None:
        """Trains the missing trials and prints the result.

        Raises:
            UserError: No trial was completed, or the storage cannot be reached.
        """
        try:
            with workers.at_work(self.folder) as self.worker:
                while self._has_more():
                    self.study.optimize(self._train, 1, catch=(UserError, _SurplusError))
                    self._write()
            self._close(self._write())
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            why = str(error.__cause__ or error).partition("\n")[0]
            raise UserError(f"--storage: {why:.150}; the same command resumes the sweep") from error

    def _has_more(self) -> bool:
        """Whether a trial is left to train; first queues the trials of killed processes again."""
        for number in workers.requeue_abandoned(self.study, self.folder):
            print(f"trial {number} was interrupted; it is resumed", flush=True)
        trials = self.study.get_trials(deepcopy=False)
        counted = workers.counted(trials)
        failed = [trial for trial in counted if trial.state == TrialState.FAIL]
        if len(failed) == len(counted) >= min(_HOPELESS, self.sweep.wanted):
            raise UserError(f"no trial succeeds; {failed[0].user_attrs[workers.ERROR]}")
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        return waiting or len(counted) < self.sweep.wanted

    def _train(self, trial: optuna.Trial) -> float:
        """Trains one trial and returns its best validation accuracy.

        One that Ctrl-C or a full disk ends goes on at the next start; Optuna takes it for failed.
        """
        try:
            return self._train_wanted(trial)
        except (KeyboardInterrupt, OSError):
            study.retry(self.study, self.study.get_trials(deepcopy=False)[trial.number])
            raise

    def _train_wanted(self, trial: optuna.Trial) -> float:
        trial.set_user_attr(workers.WORKER, self.worker)
        trials = self.study.get_trials(deepcopy=False)
        if len(workers.counted(trials[: trial.number])) >= self.sweep.wanted:
            trial.set_user_attr(numbers.SURPLUS, True)
            raise _SurplusError
        frozen = trials[trial.number]
        number = numbers.number_of(frozen, trials)
        values = {name: one.suggest(trial, name) for name, one in self.sweep.space.items()}
        print(f"trial {number} of {self.sweep.wanted}: {_text(values)}", flush=True)
        try:
            return self._fit(trial, number, values, set(frozen.intermediate_values))
        except UserError as error:
            print(f"trial {number} failed: {one_line(error)}", flush=True)
            trial.set_user_attr(workers.ERROR, one_line(error))
            raise

    def _fit(
        self, trial: optuna.Trial, number: int, values: Mapping[str, Any], known: set[int]
    ) -> float:
        def hopeless(epochs: int, val_acc: float) -> bool:
            if epochs not in known:  # in a resumed trial, some are reported already
                trial.report(val_acc, epochs)
            return trial.should_prune()

        run_cli.run(self.sweep.trial(number, values).argv("fit"), [TrialPruning(hopeless)])
        run = self.sweep.run_of(number)
        results = run.results()
        if "best_val_acc" not in results:
            raise UserError(
                f"{why_no_best(run)}, so nothing can be chosen; have validation log the val_acc of"
                " the weights that are saved"
            )
        if results.get("ended_by") == TrialPruning.__name__:
            epochs = results["epochs"]
            print(f"trial {number}: pruned after {epochs} epoch{'s' * (epochs != 1)}", flush=True)
            raise optuna.TrialPruned
        return float(results["best_val_acc"])

    def _write(self) -> Record:
        """Writes the record of all trials, and the config of the best one."""
        known = self.study.get_trials(deepcopy=False)
        counted = workers.counted(known)
        trials = [as_record(trial, numbers.number_of(trial, known)) for trial in counted]
        trials.sort(key=lambda trial: trial.number)
        sweep = self.sweep
        current = Record(sweep.name, sweep.wanted, sweep.settings["space"], trials)
        current.write(self.folder)
        if current.best and current.best.number != self.best:
            self.best = current.best.number
            sweep.write_best(self.best, current.best.options)
            best = f"val_acc {current.best.val_acc:.4f}, trial {self.best}"
            print(f"best so far: {best}", flush=True)
        return current

    def _close(self, final: Record) -> None:
        counts = ", ".join(f"{final.count(state)} {state}" for state in record.STATES)
        print(f"{len(final.trials)} trials: {counts}")
        best = final.best
        if best is None:
            raise UserError("no trial was completed, so there is no best one; add --trials")
        print(f"best val_acc {best.val_acc:.4f}, trial {best.number}: {_text(best.options)}")
        print(
            f"as the best of {final.count('complete')} on the same images, this score is"
            " optimistic; runs with other seeds give a fairer one:"
        )
        config, folder = (shlex.quote(str(one)) for one in (self.sweep.best_config, self.folder))
        print(f"next: {program.name()} fit --config {config} --seed_everything 43")
        print(f"      {program.name()} report {folder}")


def _text(values: Mapping[str, Any]) -> str:
    """Formats options as on the command line, with numbers rounded."""
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def as_record(trial: FrozenTrial, number: int) -> Trial:
    """Converts a trial of Optuna's to one of the record; the number is the sweep's."""
    scores = trial.intermediate_values
    # of a pruned trial, Optuna's value is that of its last epoch
    known = [rounded(score) for score in scores.values() if not math.isnan(score)]
    return Trial(
        number=number,
        state=_STATES[trial.state],
        val_acc=trial.value if trial.state == TrialState.COMPLETE else max(known, default=None),
        epochs=max(scores, default=0),
        options=dict(trial.params),
        error=trial.user_attrs.get(workers.ERROR, "") if trial.state == TrialState.FAIL else "",
    )
