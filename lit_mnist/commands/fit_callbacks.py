"""The callbacks of this program that `fit` adds to those of the user."""

from typing import Any

from lightning.pytorch import Callback

from lit_mnist.errors import UserError
from lit_mnist.logs.board import EpochBoard
from lit_mnist.logs.logger_board import LoggerBoard
from lit_mnist.logs.step_logs import StepLogs
from lit_mnist.logs.watch import Watch
from lit_mnist.reports.run_curves import Curves
from lit_mnist.resuming.across_resumes import keepers
from lit_mnist.resuming.asked_stop import AskedStop
from lit_mnist.resuming.cut_short_files import CutShortFiles
from lit_mnist.resuming.own_patience import OwnPatience
from lit_mnist.resuming.saved_again import SavedAgain
from lit_mnist.resuming.schedule_lengths import ScheduleLengths
from lit_mnist.runs.ended import was_stopped
from lit_mnist.runs.folder import Run
from lit_mnist.training.callbacks import MetricsCSV
from lit_mnist.training.checkpointing import checkpoints_of
from lit_mnist.training.final_weights import FinalWeights
from lit_mnist.training.minimum import Minimum
from lit_mnist.training.run_folder import RunFolder
from lit_mnist.training.same_weights import SameWeights


def fit_callbacks(run: Run, options: dict[str, Any], fresh: bool) -> list[Callback]:
    """Returns the callbacks, in the order in which they are called.

    Args:
        run: The folder.
        options: The resolved options.
        fresh: Whether the run replaces an earlier one.

    Raises:
        UserError: Checkpoints within an epoch are asked for, and none at all.
    """
    ours = options["trainer"]["logger"] in (None, True)
    board = EpochBoard(run, options) if ours else LoggerBoard(run, fresh)
    watch = Watch(board, untold=was_stopped(run) and not fresh)
    metrics = MetricsCSV(run, watch)
    return [
        ScheduleLengths(),
        metrics,
        RunFolder(run, options, fresh),
        OwnPatience(),
        AskedStop(run),
        watch,  # after both, as the loggers go by whether anything is left to train
        *keepers(),
        SameWeights(),
        StepLogs(),
        Minimum(options["trainer"]),
        *_checkpoints(run, options, metrics),
        Curves(run),
    ]


def _checkpoints(run: Run, options: dict[str, Any], metrics: MetricsCSV) -> list[Callback]:
    steps = options["every_n_train_steps"]
    if options["trainer"]["enable_checkpointing"] is False:
        if steps:
            raise UserError(
                f"--every_n_train_steps {steps}: has no effect with"
                " --trainer.enable_checkpointing false; leave one of them out"
            )
        return []
    return [
        FinalWeights(run),
        CutShortFiles(run),
        SavedAgain(run),
        *checkpoints_of(run, steps, metrics),
    ]
