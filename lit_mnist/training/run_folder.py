"""Prepares a run's folder for training: clears it for a fresh start, writes config and status."""

import inspect
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_mnist import files, trainers
from lit_mnist.errors import UserError
from lit_mnist.logs import board
from lit_mnist.machine.hardware import device_name, versions
from lit_mnist.runs import best_score, checkpoints, entries, safe_yaml, tested_files
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Progress
from lit_mnist.runs.resume import Start
from lit_mnist.training import ending, validated_images


class RunFolder(Callback):
    """Clears a run's folder for a fresh start, and writes `config.yaml` and the run's status.

    Nothing is changed until data and checkpoint are loaded and training is about to start.

    Args:
        run: The folder.
        config: The resolved config.
        fresh: Whether to remove the files of an earlier run.
    """

    def __init__(self, run: Run, config: dict[str, Any], fresh: bool) -> None:
        self.run, self.config, self.fresh = run, config, fresh
        self.outdated = _outdated(run, fresh)  # listed before the logger adds its file
        self.start: Start | None = None  # another run's checkpoint to begin with
        self.began = False
        self.batches = 0  # seen before this training

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes config and status, and removes files that are out of date."""
        self.began, self.batches = trainer.is_global_zero, _batches(trainer)
        if not self.began:
            return
        if self.fresh or self.start:
            drop_test(self.run)
        if self.start or not self.batches:
            self._tell_kept()
        self.start = self._without_other_images(trainer)
        kept = self._take_over(self.start) if self.start else set()
        for path in self.outdated:
            if path.resolve() not in kept:
                path.unlink(missing_ok=True)
        files.write_text(self.run.config_yaml, safe_yaml.dump(self.config))
        facts = self._facts(trainer, pl_module)
        self.run.change_results(lambda known: self._kept(known) | facts)

    def _kept(self, results: dict[str, Any]) -> dict[str, Any]:
        """Returns the entries of `results.json` that stay."""
        known = {} if self.fresh else best_score.without(results)
        return {key: value for key, value in known.items() if key != "ended_by"}

    def _tell_kept(self) -> None:
        """Tells which reports and exports in the folder describe an earlier run."""
        if kept := [path.name for path in self.run.exports_and_reports()]:
            named = f"{', '.join(kept)} in {self.run.folder}"
            print(f"{named}: still of an earlier run; export and report write them anew")

    def _without_other_images(self, trainer: Trainer) -> Start | None:
        """Returns the start without another run's best whose score is of other images."""
        start = self.start
        if not start or not start.best or start.best.resolve() == self.run.best.resolve():
            return start  # the run's own stays until BestCheckpoint has a better one
        other = validated_images.other(start.scores, trainer)
        if not other:
            return start
        still = validated_images.still_compared(trainer)
        print(f"{start.best} {other}: it is not taken over as the best{still}")
        return start._replace(best=None)

    def _take_over(self, start: Start) -> set[Path]:
        """Copies the starting checkpoint into the folder, so that a run killed at once can resume.

        Returns:
            The files that stay.
        """
        saves = self.config["trainer"]["enable_checkpointing"] is not False
        for source, target in ((start.checkpoint, self.run.last), (start.best, self.run.best)):
            if saves and source and source.resolve() != target.resolve():
                with files.replacing(target) as temporary:
                    shutil.copyfile(source, temporary)
        best = [self.run.best.resolve()] if start.best else []
        return {start.checkpoint.resolve(), self.run.last.resolve(), *best}

    def _facts(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        started = {"started_from": str(self.start.checkpoint)} if self.start else {}
        return {
            "status": "running",
            "name": self.config["name"],
            "seed": self.config["seed_everything"],
            **started,
            "model": type(pl_module).__name__,
            "parameters": sum(weights.numel() for weights in pl_module.parameters()),
            **trainers.data_module(trainer).fingerprint(),
            "hardware": device_name(trainer.strategy.root_device),
            "ranks": trainer.world_size,
            "precision": trainers.precision(trainer),
            "channels_last": bool(pl_module.hparams.get("channels_last")),
            "versions": versions(),
        }

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Stores the model's options, as a module may save no hyperparameters, or only some.

        A test of the weights before is dropped here, and not at once: this training may see no
        batch, as a callback or the module may stop it.
        """
        if self.began and _batches(trainer) != self.batches:
            drop_test(self.run)
        model = self.config["model"]
        given = _without_objects(model.get("init_args") or {}, type(pl_module))
        checkpoint[entries.MODEL_OPTIONS] = {"class_path": model["class_path"], "init_args": given}

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Marks the run as complete and records which limit has ended it."""
        if not self.began:
            return
        idle, within = _batches(trainer) == self.batches, ending.within_epoch(trainer)
        saved = dict[str, Any]()
        if (idle or within) and self.run.last.exists():
            saved = checkpoints.read(self.run.last)
        # in training itself, an epoch that was resumed counts as finished only with its end; in a
        # checkpoint of `FinalWeights`, one that is cut short counts as finished
        done = Progress.of(saved) if saved and idle and not within else ending.progress(trainer)
        by = ending.ended_by(trainer, self.config, done, saved if within else {})
        self.run.update_results(
            status="complete", ended_by=by, epochs=done.epochs, steps=done.steps
        )

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Marks the run as interrupted, if training had begun."""
        if self.began and self.run.results_json.exists():
            by = ending.interrupted_by(exception)
            with suppress(OSError, UserError):  # of a full disk, say: the first error is to be told
                self.run.update_results(status="interrupted", ended_by=by)


def drop_test(run: Run) -> None:
    """Removes a test's scores from `results.json` and TensorBoard, as other weights are saved."""
    board.withdraw_test(run)
    run.change_results(tested_files.without)


def _without_objects(arguments: dict[str, Any], kind: type) -> dict[str, Any]:
    """Leaves out a class's defaults that are objects, of which a config has only the text."""
    defaults = {name: one.default for name, one in inspect.signature(kind).parameters.items()}
    return {
        name: value
        for name, value in arguments.items()
        if isinstance(defaults.get(name), str) or value != str(defaults.get(name))
    }


def _batches(trainer: Trainer) -> int:
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    return int(progress.total.ready)


def _outdated(run: Run, fresh: bool) -> list[Path]:
    """Lists the files that training replaces, those that a failed start has left among them.

    TensorBoard would show that start's options and net for those of this one.
    """
    if fresh:
        return run.written()
    if run.exists() or run.metrics_csv.exists():
        return []
    return [path for path in run.written() if path.name.startswith("events.out.tfevents.")]
