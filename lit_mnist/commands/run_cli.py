"""The commands fit, validate, test and predict."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.commands import error_messages, fit_messages, starting_point
from lit_mnist.commands.arguments import images_as_list
from lit_mnist.commands.options import RunOptions
from lit_mnist.commands.starting_point import StartingPoint
from lit_mnist.errors import UserError
from lit_mnist.models import classes
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.reports.committee_report import CommitteeReport, cascade_thresholds
from lit_mnist.reports.digits_report import PredictReport
from lit_mnist.reports.out_of_fold import OutOfFold
from lit_mnist.reports.run_report import EvaluationReport
from lit_mnist.runs import checkpoints, tested
from lit_mnist.training import launcher, process, workarounds
from lit_mnist.training.hardware import device_name
from lit_mnist.training.run_folder import RunFolder
from lit_mnist.training.searched import stop_searching

say = rank_zero_only(print)


def run(argv: list[str], extra: Sequence[Callback] = ()) -> None:
    """Runs one command; raises UserError for whatever the user can mend.

    Args:
        argv: The command line, the command first.
        extra: Callbacks for `fit` beside those of the options; no config tells of them.
    """
    process.configure_process()
    try:
        with workarounds.applied():
            RunCLI(images_as_list(argv), extra)
    except Exception as error:
        explained = error_messages.explained(error)
        if explained is error:
            launcher.report(error)
            raise
        raise explained from error


class RunCLI(RunOptions):
    """Each command works on the run's folder."""

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except SystemExit as ended:  # which is how Lightning leaves at Ctrl-C and SIGTERM
            told = isinstance(ended, SIGTERMException) or ended.code == 128 + signal.SIGTERM
            number = signal.SIGTERM if told else signal.SIGINT
            again = "; the same command goes on from the last checkpoint"
            say(f"stopped by {number.name}{again if subcommand == 'fit' else ''}")
            raise SystemExit(128 + number) from None

    def fit(
        self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: Any, **_: Any
    ) -> None:
        """Trains, from the start or from where the run's newest checkpoint ends."""
        if isinstance(model, EnsembleModule):
            raise UserError("fit: a committee is not trained; train its members with committee")
        if self.fast_dev_run or not self.trainer.is_global_zero:
            return self._fit(model, datamodule, ckpt_path)
        with self.run.lock():
            return self._fit(model, datamodule, ckpt_path)

    def _fit(self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: Any) -> None:
        begin = self._starting_point(ckpt_path)
        if begin.done:
            fit_messages.say_done(self.run, begin)
            return
        point = begin.goes_on
        self._set_start(begin)
        count = sum(weights.numel() for weights in model.parameters())
        kind = type(model).__name__
        say(f"{self.run.folder}: {kind}, {count:,} parameters; {point or 'starting'}")
        say(self._arithmetic())
        if point:
            stop_searching(self.trainer)
        path = str(point.checkpoint) if point else None
        self.trainer.fit(model, datamodule, ckpt_path=path, weights_only=True)
        if not self.fast_dev_run:
            fit_messages.say_results(self.run, self.options, self.args, bool(ckpt_path))

    def _set_start(self, begin: StartingPoint) -> None:
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
        for callback in callbacks:
            if isinstance(callback, RunFolder):
                callback.start = begin.start

    def validate(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the held-out training images."""
        path = self._trained(model, ckpt_path)[0]
        report = None
        if isinstance(model, EnsembleModule) and datamodule.partition.whole:
            report = OutOfFold(self.run, model, self.options)
            self._add(report)
        self.trainer.validate(model, datamodule, ckpt_path=path, verbose=False, weights_only=True)
        say(f"{path or self.run.folder}: {self._scores('val')}")
        if report:
            say(report.summary)

    def test(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the test images and reports."""
        if self.trainer.limit_test_batches == 0:
            raise UserError(
                "--trainer.limit_test_batches 0: no image would be tested; leave it out"
            )
        path, digest = self._trained(model, ckpt_path)
        report: EvaluationReport
        if isinstance(model, EnsembleModule):
            report = CommitteeReport(self.run, model, self.options)
        else:
            report = EvaluationReport(self.run, tested.Weights(digest, (Path(str(path)),)))
        if not self.fast_dev_run:
            self._add(report)
        self.trainer.test(model, datamodule, ckpt_path=path, verbose=False, weights_only=True)
        say(f"{path or self.run.folder}: {self._scores('test')}")
        for line in report.summary:
            say(line)

    def predict(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Names the digits in the user's pictures."""
        path, digest = self._trained(model, ckpt_path)
        if isinstance(model, EnsembleModule) and model.cascade:
            model.thresholds = cascade_thresholds(self.run, model)
        self._add(PredictReport(self.run, digest, self.output))
        self.trainer.predict(
            model, datamodule, ckpt_path=path, return_predictions=False, weights_only=True
        )
        if isinstance(model, EnsembleModule) and model.images:
            cost = model.asked / model.images
            say(f"cascade: {cost:.2f} of {len(model.members)} members asked per digit")

    def _arithmetic(self) -> str:
        device = self.trainer.strategy.root_device
        layout = self.options["model"].get("init_args", {}).get("channels_last")
        order = "channels last" if layout else "channels first"
        chosen = f"{device_name(device)}: precision {self.trainer.precision}, {order}"
        return f"{chosen} (--trainer.precision and --model.channels_last pin them)"

    def _starting_point(self, ckpt_path: str | None) -> StartingPoint:
        if not self.fast_dev_run:
            named = self._named(ckpt_path) if ckpt_path else None
            at = (self.trainer, self.model)
            return starting_point.find(self.run, self.options, named, self.fresh, *at)
        if ckpt_path:
            raise UserError(
                "--ckpt_path: has no effect with --trainer.fast_dev_run, which tries a few steps of"
                " untrained weights; leave one of them out"
            )
        return StartingPoint()

    def _trained(self, model: ScoredModule, ckpt_path: str | None) -> tuple[str | None, str]:
        """Gives the checkpoint to evaluate, None for a committee, and the hash of the weights."""
        if isinstance(model, EnsembleModule):
            if ckpt_path:
                raise UserError(
                    "--ckpt_path: a committee's weights are named by"
                    " --model.checkpoints; leave it out"
                )
            model.configure_model()
            return None, model.sha256
        path = self._named(ckpt_path or "best")
        if not ckpt_path and not path.exists() and self.run.last.exists():
            _warn(f"{path}: no such checkpoint, as no best was kept; taking {self.run.last}")
            path = self.run.last
        if not ckpt_path and not path.exists():
            raise UserError(f"{path}: no such checkpoint; there is no trained model, run fit first")
        checkpoint = checkpoints.read(path)
        model.configure_model()  # Lightning calls it again, and it may be called often
        checkpoints.refuse(path, checkpoints.by_hand(checkpoint))
        checkpoints.check_fits(checkpoint, model, path)
        classes.check_same_module(checkpoint, model, path)
        return str(path), checkpoints.weights_sha256(checkpoint["state_dict"])

    def _named(self, ckpt_path: str) -> Path:
        return {"best": self.run.best, "last": self.run.last}.get(ckpt_path, Path(ckpt_path))

    def _add(self, callback: Callback) -> None:
        self.trainer.callbacks.append(callback)  # type: ignore[attr-defined] # set in its __init__

    def _scores(self, stage: str) -> str:
        names = (f"{stage}_acc", f"{stage}_loss")
        return "  ".join(f"{name} {self.trainer.callback_metrics[name]:.4f}" for name in names)


@rank_zero_only
def _warn(text: str) -> None:
    print(text, file=sys.stderr)
