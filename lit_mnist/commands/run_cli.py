"""The commands fit, validate, test and predict, by LightningCLI."""

import signal
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from lightning.pytorch import Callback, LightningDataModule
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist import files
from lit_mnist.command_line import no_effect
from lit_mnist.command_line.arguments import several_as_list
from lit_mnist.command_line.dependency_errors import explaining
from lit_mnist.commands import evaluation, fit_messages, jobs, starting_point
from lit_mnist.commands.options import RunOptions
from lit_mnist.commands.starting_point import StartingPoint
from lit_mnist.errors import PeerError, UserError
from lit_mnist.logs import run_logger
from lit_mnist.machine import launcher, process
from lit_mnist.messages import say
from lit_mnist.models import lazy
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.pictures import files as picture_files
from lit_mnist.reports import cascade_report, digits_report
from lit_mnist.reports.committee_report import CommitteeReport
from lit_mnist.reports.out_of_fold import OutOfFold
from lit_mnist.reports.run_report import EvaluationReport
from lit_mnist.runs import best_score
from lit_mnist.runs.tested import Weights
from lit_mnist.training import changed_images, swapped_weights
from lit_mnist.workarounds.applied import applied
from lit_mnist.workarounds.noise import of_resumed

_OF_FIT = ("Be aware that when using", ".*the WeightAveraging callback", "The dirpath has changed")


def run(argv: list[str], extra: Sequence[Callback] = ()) -> str:
    """Runs one command; raises UserError for any error that the user can fix.

    Args:
        argv: The command line, starting with the command.
        extra: Callbacks for `fit` beside those of the options; they are not saved in configs.

    Returns:
        Why a test leaves no record; empty if it does, and for other commands.
    """
    try:
        with explaining(), process.configured(), applied():
            return RunCLI(several_as_list(argv), extra).unrecorded
    except (UserError, PeerError):  # whose one line is enough
        raise
    except Exception as error:
        launcher.report(error)
        raise


class RunCLI(RunOptions):
    """LightningCLI whose commands work on a run's folder."""

    unrecorded = ""  # why its test leaves no record

    def before_instantiate_classes(self) -> None:
        """Refuses options without effect, but for jobs: the same options suit others of them."""
        super().before_instantiate_classes()
        if self.subcommand == "fit" and not jobs.is_job():
            no_effect.check(self.args, self.config["fit"])

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            with warnings.catch_warnings():
                own = of_resumed(self.run.last.parent)
                # `fit` alone continues the callbacks of a checkpoint
                for text in own if subcommand == "fit" else _OF_FIT:
                    warnings.filterwarnings("ignore", text)
                super()._run_subcommand(subcommand)
        except SystemExit as ended:  # which is how Lightning leaves at Ctrl-C and SIGTERM
            terminated = isinstance(ended, SIGTERMException) or ended.code == 128 + signal.SIGTERM
            if not terminated and not isinstance(ended.__context__, KeyboardInterrupt):
                raise  # a user's own code has called sys.exit
            number = signal.SIGTERM if terminated else signal.SIGINT
            again = "; the same command resumes from the last checkpoint"
            say(f"stopped by {number.name}{again if subcommand == 'fit' else ''}")
            raise SystemExit(128 + number) from None

    def fit(
        self, model: ScoredModule, datamodule: LightningDataModule, ckpt_path: Any, **_: Any
    ) -> None:
        """Trains, from scratch or from the run's newest checkpoint."""
        if isinstance(model, EnsembleModule):
            raise UserError("fit: a committee is not trained; train its members with committee")
        locks = self.trainer.is_global_zero and not self.fast_dev_run
        with self.run.lock() if locks else nullcontext():
            self._fit(model, datamodule, ckpt_path)

    def _fit(self, model: ScoredModule, datamodule: LightningDataModule, ckpt_path: Any) -> None:
        lazy.complete(model, self.trainer)
        begin = self._starting_point(ckpt_path)
        if begin.done:
            fit_messages.say_done(self.run, self.options, begin)
            return
        point = begin.resume
        starting_point.tell(self.trainer, begin)
        fit_messages.say_begins(self.run, self.options, self.trainer, model, point)
        evaluation.say_unused_loaders(model, "train", "val")
        changed_images.watch(self.trainer)
        path = str(point.checkpoint) if point else None
        self.trainer.fit(model, datamodule, ckpt_path=path, weights_only=True)
        if not self.fast_dev_run:
            if self.trainer.is_global_zero:
                best_score.note(self.run)
            fit_messages.say_results(self.run, self.options, self.args)

    def validate(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the held-out training images."""
        evaluation.refuse_zero_limit(self.trainer, "val")
        if isinstance(model, EnsembleModule) and model.cascade:
            raise UserError("validate: --model.cascade is for predict and test; leave it out")
        path = self._trained(model, ckpt_path, "val", "validation_step")[0]
        report = None
        if isinstance(model, EnsembleModule) and datamodule.partition.whole:
            evaluation.say_replaced(self.run, model)
            report = OutOfFold(self.run, model, self.options)
            self._add(report)
        self.trainer.validate(model, datamodule, ckpt_path=path, verbose=False, weights_only=True)
        say(f"{path or self.run.folder}: {evaluation.scores(self.trainer, 'val')}")
        if report:
            say(report.summary)

    def test(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the test images and writes reports."""
        evaluation.refuse_zero_limit(self.trainer, "test")
        if not self.fast_dev_run:  # TensorBoard would fail in a thread of its own
            files.check_writable(self.run.folder)
        path, weights = self._trained(model, ckpt_path, "test", "test_step")
        report = EvaluationReport(self.run, weights)
        if isinstance(model, EnsembleModule):
            evaluation.say_replaced(self.run, model)
            report = CommitteeReport(self.run, model, self.options)
        run_logger.set_tested_step(self.trainer, weights.step)
        if not self.fast_dev_run:
            self._add(report)
            if self.trainer.is_global_zero:
                best_score.refresh(self.run, path, weights)
        self.trainer.test(model, datamodule, ckpt_path=path, verbose=False, weights_only=True)
        say(f"{path or self.run.folder}: {evaluation.scores(self.trainer, 'test')}")
        self.unrecorded = report.unrecorded
        for line in report.summary:
            say(line)

    def predict(self, model: ScoredModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Names the digits in the user's pictures."""
        evaluation.refuse_zero_limit(self.trainer, "predict")
        if not self.fast_dev_run:
            pictures = picture_files.find(datamodule.images) if datamodule.images else []
            digits_report.check_output(self.output or self.run.folder, pictures)
        path, weights = self._trained(model, ckpt_path, "predict", "predict_step")
        if isinstance(model, EnsembleModule) and model.cascade:
            model.thresholds = cascade_report.thresholds(self.run, model)
        if self.fast_dev_run:
            say("fast_dev_run: nothing is written or shown")
        else:
            self._add(digits_report.PredictReport(self.run, weights.sha256, self.output))
        self.trainer.predict(
            model, datamodule, ckpt_path=path, return_predictions=False, weights_only=True
        )
        if isinstance(model, EnsembleModule) and model.images:
            cost = model.used / model.images
            say(f"cascade: {cost:.2f} of {len(model.members)} members used per digit")

    def _trained(
        self, model: ScoredModule, ckpt_path: Any, stage: str, step: str
    ) -> tuple[str | None, Weights]:
        """Finds the weights to evaluate, and tells what of the module's own is not called."""
        swapped_weights.watch(self.trainer)
        changed_images.watch(self.trainer)
        found = evaluation.trained(self.run, model, ckpt_path, self.options, self.trainer)
        evaluation.say_unused(model, step)
        evaluation.say_unused_loaders(model, stage)
        return found

    def _starting_point(self, ckpt_path: str | None) -> StartingPoint:
        if self.fast_dev_run and ckpt_path:
            raise UserError(
                "--ckpt_path: has no effect with --trainer.fast_dev_run, which tries a few steps of"
                " untrained weights; leave one of them out"
            )
        if self.fast_dev_run:
            return StartingPoint()
        named = starting_point.checkpoint_of(self.run, ckpt_path) if ckpt_path else None
        return starting_point.find(
            self.run, self.options, named, self.fresh, self.trainer, self.model
        )

    def _add(self, callback: Callback) -> None:
        self.trainer.callbacks.append(callback)  # type: ignore[attr-defined] # set in its __init__
