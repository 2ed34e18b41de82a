"""Files and pictures of a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lit_mnist import files, trainers
from lit_mnist.data.batches import Batch
from lit_mnist.data.datasets import class_names
from lit_mnist.errors import UserError
from lit_mnist.logs import board
from lit_mnist.logs.run_logger import RunLogger, withhold
from lit_mnist.models import novelty_file
from lit_mnist.models.ensemble import nets_of
from lit_mnist.models.features import Features
from lit_mnist.reports import abstention, gallery, no_digit, plots
from lit_mnist.reports import held_out as held_out_images
from lit_mnist.reports.predictions import Collector, Predictions, predictions_csv, probabilities
from lit_mnist.reports.run_curves import show, show_curves
from lit_mnist.reports.scores import contradiction, incomplete, test_scores
from lit_mnist.runs import ledger, tested, tested_files
from lit_mnist.runs.folder import Run
from lit_mnist.training import changed_images, swapped_weights


class EvaluationReport(Collector):
    """Writes `predictions.csv`, the scores and the pictures of a test, and a line in the ledger.

    A test of only some images, or of weights that were rounded or that `fit` has replaced, leaves
    nothing but the line in the ledger; likewise one whose weights or images a callback has changed.
    Where the weights are replaced while it writes, the run has no test.

    Args:
        run: The folder to write to.
        weights: The tested weights.
    """

    def __init__(self, run: Run, weights: tested.Weights) -> None:
        super().__init__()
        self.run, self.weights = run, weights
        self.summary: list[str] = []  # lines for the user, once the test has ended
        self.unrecorded = ""  # why it leaves no record, and would leave none if done again
        self.replaced = ""  # why it leaves none this time
        self.held_out: Predictions | None = None  # for the held-out images, if they are on disk
        self.missing = ""  # why not, if they are not

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the scores of a test that does not count from the run's own logger.

        Raises:
            UserError: Lightning may have loaded other weights than those that were read before it.
        """
        if trainer.strategy.broadcast(tested.are_others_now(self.weights)):
            raise UserError(f"{tested.replaced(self.weights)}; run test again")
        batches = len(trainer.test_dataloaders)  # type: ignore[arg-type] # the data module's
        if trainer.num_test_batches[0] < batches or self._rounded(trainer):
            withhold(trainer)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Collects the batch's predictions."""
        self.collect(batch, probabilities(outputs, pl_module, batch))
        if swapped_weights.found(trainer) or changed_images.found(trainer):
            withhold(trainer)  # before Lightning logs what is logged by step

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores held-out images, before the module's own hook, which may swap weights back."""
        self.predictions = self.gathered(trainer)
        scores, _ = self._scores(trainer)
        swapped, changed = changed_images.on_any_rank(trainer)  # all go on alike
        altered = swapped or changed
        # first, as the test set was read even if something below fails
        self.reads = self._note(trainer, scores, altered) if trainer.is_global_zero else 0
        partial = incomplete(self.predictions, len(trainers.data_module(trainer).test_set.labels))
        altered += ", and no checkpoint holds what it put there" if swapped else ""
        self.unrecorded = partial or self._rounded(trainer) or altered
        gone = trainer.is_global_zero and not tested.holding(self.run, self.weights)[0]
        self.replaced = tested.replaced(self.weights) if trainer.strategy.broadcast(gone) else ""
        if self.unrecorded or self.replaced:
            withhold(trainer)
        else:
            self._predict_held_out(trainer, pl_module)

    def _predict_held_out(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores the held-out images, and fits the detector to them; every rank must call it."""
        features = Features(nets_of(pl_module))
        self.held_out, self.missing = held_out_images.predict(
            trainer, pl_module, self.weights.paths, features
        )
        if trainer.is_global_zero:
            self.novelty, self.detector = no_digit.fit(
                self.held_out, self.missing, trainer, pl_module, features
            )
        features.remove()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes everything, on rank zero.

        From the new `predictions.csv` to the last file the run has no test at all, so that none is
        put together from parts of two if the process is killed.
        """
        scores, doubt = self._scores(trainer)
        if not trainer.is_global_zero:
            return
        self.unrecorded = self.unrecorded or doubt
        if why := self.unrecorded or self.replaced:
            but = f"nothing is recorded except a line in {self.run.file(ledger.NAME)}"
            self.summary = [f"{why}: {but}"]
            return
        scores |= {"novelty": self.novelty, "test_reads": self.reads} | self.trust(trainer)
        table = predictions_csv(self.predictions)
        files.write_text(self.run.predictions, table)
        board.withdraw_test(self.run)
        reads = {"test_reads": self.reads}
        self.run.change_results(lambda known: tested_files.without(known) | reads)
        self.write(trainer, scores)
        data = trainers.data_module(trainer)
        record = tested.record(self.run, self.weights, data.test_set.sha256, table)
        if any(isinstance(logger, RunLogger) for logger in trainer.loggers):
            board.add_test(self.run, scores, self.weights.epoch)
        self.run.update_results(**scores, **record)
        self.summary = self.closing(scores)

    def _scores(self, trainer: Trainer) -> tuple[dict[str, Any], str]:
        """Returns the scores, and how the module's own contradict them; every rank must call it."""
        predictions, logged = self.predictions, trainer.callback_metrics
        loss = predictions.loss_as_logged(logged)
        scores = test_scores(predictions.labels.numpy(), predictions.classes.numpy(), loss)
        if doubt := contradiction(scores, logged):
            scores["test_loss"] = predictions.loss  # of what the accuracy is of
        return scores, doubt

    def trust(self, trainer: Trainer) -> dict[str, Any]:
        """Returns the calibration that is set on held-out images, and its effect on test images."""
        if self.held_out is None:
            return {"calibration": {"missing": self.missing}}
        return {"calibration": abstention.report(self.held_out.answers, self.predictions.answers)}

    def _rounded(self, trainer: Trainer) -> str:
        return tested.lower_precision(self.run, trainers.precision(trainer))

    def _note(self, trainer: Trainer, scores: dict[str, Any], altered: str) -> int:
        digest = "" if altered or self._rounded(trainer) else self.weights.sha256
        noted = (scores[f"test_{name}"] for name in ("acc", "loss", "errors"))
        return ledger.note(self.run.folder, digest, *noted)

    def closing(self, scores: dict[str, Any]) -> list[str]:
        """Returns the lines that tell the user which files to look at."""
        return [
            abstention.summary(scores["calibration"]),
            f"{scores['test_errors']} errors: see misclassified.png, confusion.png, curves.png and",
            f"{self.run.predictions.name} in {self.run.folder}",
        ]

    def write(self, trainer: Trainer, scores: dict[str, Any]) -> None:
        """Writes the detector and the pictures.

        Args:
            trainer: The trainer with the data.
            scores: Their entries in `results.json`, where they are not yet.
        """
        if self.detector:
            novelty_file.save(self.detector, self.weights.sha256, self.run.novelty)
        elif self.held_out:
            self.run.novelty.unlink(missing_ok=True)
        data = trainers.data_module(trainer)
        names = class_names(data.dataset)
        wrong = self.gallery(data.test_set.images.cpu().numpy(), names)
        self.show(trainer, "misclassified", wrong)
        labels, classes = self.predictions.labels.numpy(), self.predictions.classes.numpy()
        matrix = plots.confusion_matrix(labels, classes)
        self.show(trainer, "confusion", plots.confusion(matrix, names))
        self.curves(trainer, scores["test_acc"])

    def show(self, trainer: Trainer, name: str, figure: Figure) -> None:
        """Saves a figure and adds it to loggers at the step of the tested weights."""
        show(trainer, self.run, name, figure, step=self.weights.step)

    def gallery(self, images: np.ndarray, names: Sequence[str] | None) -> Figure:
        """Draws the misclassified ones of the test images, uint8 (N, 28, 28)."""
        predictions = self.predictions
        return gallery.draw(
            images,
            predictions.labels.numpy(),
            predictions.classes.numpy(),
            predictions.indices.numpy(),
            class_names=names,
            probabilities=predictions.probabilities.numpy(),
        )

    def curves(self, trainer: Trainer, test_acc: float) -> None:
        """Draws the curves again, with the test accuracy."""
        # A tag of their own: in loggers, those of training have another step
        step = self.weights.step
        show_curves(trainer, self.run, step=step, tag="curves_tested", test_acc=test_acc)
