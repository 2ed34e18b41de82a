"""Files and pictures of a committee's test: its scores beside its members'."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from lit_mnist import files, trainers
from lit_mnist.data.batches import Batch
from lit_mnist.models import averaging
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.reports import cascade_report, committee_plots, out_of_fold, plots, run_names
from lit_mnist.reports.committee_facts import committee_facts, member_facts
from lit_mnist.reports.committee_table import REPORT, markdown
from lit_mnist.reports.predictions import Predictions
from lit_mnist.reports.run_report import EvaluationReport
from lit_mnist.runs import safe_yaml, tested
from lit_mnist.runs.folder import Run


class CommitteeReport(EvaluationReport):
    """Writes the files of any test, and `report.md` and `errors_by_size.png` in addition.

    Args:
        run: The folder to write to.
        committee: The tested committee.
        config: The resolved config.
    """

    def __init__(self, run: Run, committee: EnsembleModule, config: dict[str, Any]) -> None:
        paths = tuple(member.path for member in committee.members)
        super().__init__(run, tested.Weights(committee.sha256, paths, committee.average))
        self.committee, self.config = committee, config

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # CommitteeScores
        batch: Batch,
        *_: Any,
    ) -> None:
        """Collects the committee's probabilities and the members' log-probabilities."""
        self.collect(batch, outputs.probabilities, outputs.members.transpose(0, 1))

    def closing(self, scores: dict[str, Any]) -> list[str]:
        """Adds the report to the closing lines."""
        *lines, _ = super().closing(scores)
        found = self.run.results().get(out_of_fold.KEY)
        score = [out_of_fold.summary(found)] if found else []
        known = scores.get(cascade_report.KEY)
        cost = [cascade_report.summary(known)] if known else []
        if self.committee.cascade and not known:
            cost = ["no cascade: no validation images are at hand that all members left out"]
        return [*score, *cost, *lines, f"{REPORT} in {self.run.folder}"]

    def trust(self, trainer: Trainer) -> dict[str, Any]:
        """Adds the cost and predictions of the cascade."""
        found, held_out = super().trust(trainer), self.held_out
        if self.committee.average != "probabilities":
            return found
        if held_out is None or not held_out.member_log_probs.numel():  # of folds
            return found
        hashes = [member.sha256 for member in self.committee.members]
        known = cascade_report.facts(held_out, self.predictions, hashes)
        if self.committee.cascade:
            images = trainers.data_module(trainer).test_set.images
            timed = cascade_report.seconds(self.committee, images, known["thresholds"])
            known["test_seconds"] = timed
        return found | {cascade_report.KEY: known}

    def write(self, trainer: Trainer, scores: dict[str, Any]) -> None:
        """Writes files and pictures of the committee and its members."""
        log_probs = self.predictions.member_log_probs.transpose(0, 1)  # (M, N, 10)
        self.votes = log_probs.argmax(dim=2)  # (M, N)
        by_size = averaging.errors_by_size(
            log_probs, self.predictions.labels, self.committee.average
        )
        facts = self._facts(trainer, log_probs, by_size)
        facts["test_reads"] = scores["test_reads"]
        self.run.change_results(lambda replaced: facts | self._out_of_fold(replaced))
        files.write_text(self.run.config_yaml, safe_yaml.dump(self.config))
        if self.held_out and self.config["data"]["folds"] and self.config["data"]["fold"] is None:
            out_of_fold.write(self.run, self.committee, self.held_out)
        files.write_text(self.run.votes, votes_csv(self.predictions, self.votes))
        super().write(trainer, scores)
        figure = committee_plots.errors_by_size_figure(by_size, len(self.predictions.labels))
        self.show(trainer, "errors_by_size", figure)
        files.write_text(self.run.file(REPORT), markdown(self.run.results() | scores))

    def gallery(self, images: np.ndarray, names: Sequence[str] | None) -> Figure:
        """Draws the committee's errors with each member's vote."""
        predictions = self.predictions
        return committee_plots.votes_gallery(
            images,
            predictions.labels.numpy(),
            predictions.classes.numpy(),
            self.votes.T.numpy(),
            predictions.indices.numpy(),
            class_names=names,
        )

    def curves(self, trainer: Trainer, test_acc: float) -> None:
        """Draws the members' curves and the committee's test accuracy."""
        named = zip(self._names(), self.committee.members, strict=True)
        histories = {name: one.history for name, one in named if one.history}
        figure = plots.curves(histories, {"committee": test_acc})
        self.show(trainer, "curves", figure)

    def _names(self) -> list[str]:
        members = self.committee.members
        return run_names.distinct([one.name for one in members], [one.path for one in members])

    def _facts(
        self, trainer: Trainer, log_probs: Tensor, by_size: Sequence[averaging.SubsetErrors]
    ) -> dict[str, Any]:
        apart, pairs = averaging.disagreement(self.votes)
        members = zip(self.committee.members, self._names(), log_probs, strict=True)
        return {
            **committee_facts(trainer, self.committee, self.config["name"]),
            "members": [
                member_facts(one, name, own, self.predictions.labels) for one, name, own in members
            ],
            "errors_by_size": [
                {"mean": round(row.mean, 6), "fewest": row.fewest, "most": row.most}
                for row in by_size
            ],
            "disagreement": {
                "any": apart,
                "pairs": [[round(share, 6) for share in row] for row in pairs.tolist()],
            },
        }

    def _out_of_fold(self, results: dict[str, Any]) -> dict[str, Any]:
        """Returns the out-of-fold entry of a validation of exactly these weights."""
        found = results.get(out_of_fold.KEY)
        known = isinstance(found, dict) and found.get("weights_sha256") == self.committee.sha256
        return {out_of_fold.KEY: found} if known else {}


def votes_csv(predictions: Predictions, votes: Tensor) -> str:
    """Formats one row per image: index, label, the committee's class, and those of M members.

    Args:
        predictions: Predictions for N images.
        votes: int64 (M, N).
    """
    members = ",".join(f"member_{number}" for number in range(len(votes)))
    columns = (predictions.indices, predictions.labels, predictions.classes, *votes)
    rows = torch.stack(columns, dim=1).tolist()
    lines = (",".join(map(str, row)) for row in rows)
    return "\n".join([f"index,label,prediction,{members}", *lines, ""])
