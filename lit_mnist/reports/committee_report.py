"""What a committee's test leaves behind: its scores beside its members', in tables and pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lit_mnist import files
from lit_mnist.data.batches import Batch
from lit_mnist.models import averaging
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.reports import committee_plots, plots
from lit_mnist.reports.run_report import EvaluationReport, show, test_scores
from lit_mnist.reports.statistics import mean_sd, wilson_interval
from lit_mnist.runs.folder import Run
from lit_mnist.shape import CLASSES
from lit_mnist.training.hardware import device_name, versions

OWN = 2 + CLASSES  # columns of the table before the members': index, label, probabilities


class CommitteeReport(EvaluationReport):
    """Writes what a test writes, and beside it `report.md` and `errors_by_size.png`.

    Args:
        run: The folder to write to.
        committee: What is tested.
        config: The resolved config.
    """

    def __init__(self, run: Run, committee: EnsembleModule, config: dict[str, Any]) -> None:
        super().__init__(run, {"test_weights_sha256": committee.sha256})
        self.committee, self.config = committee, config

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # CommitteeScores
        batch: Batch,
        *_: Any,
    ) -> None:
        """Keeps the committee's probabilities and the members' logarithms of them."""
        members = outputs.members.transpose(0, 1).flatten(1)  # (M, B, 10) -> (B, M * 10)
        self.collect(batch, torch.cat([outputs.probabilities, members], dim=1))

    def write(self, trainer: Trainer, table: np.ndarray) -> None:
        """Writes files and pictures, of the committee and its members."""
        members = torch.from_numpy(table[:, OWN:]).unflatten(1, (-1, CLASSES)).transpose(0, 1)
        labels = torch.from_numpy(table[:, 1]).long()
        self.votes = members.argmax(dim=2)  # (M, N)
        self.facts = self._facts(trainer, members, labels)
        files.write_text(self.run.file("config.yaml"), yaml.safe_dump(self.config, sort_keys=False))
        files.write_json(self.run.file("results.json"), self.facts)
        super().write(trainer, table[:, :OWN])
        sizes = [(row["mean"], row["fewest"], row["most"]) for row in self.facts["errors_by_size"]]
        show(
            *(trainer, self.run, "errors_by_size"),
            committee_plots.errors_by_size_figure(sizes, len(labels)),
        )
        files.write_text(self.run.file("report.md"), markdown(self.run.results()))

    def gallery(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        predictions: np.ndarray,
        indices: np.ndarray,
        names: Sequence[str] | None,
    ) -> Figure:
        """Draws what the committee misclassified, with each member's vote."""
        votes = self.votes.T.numpy()
        return committee_plots.votes_gallery(
            images, labels, predictions, votes, indices, class_names=names
        )

    def curves(self, trainer: Trainer) -> None:
        """Draws the members' accuracy curves and the committee's test accuracy."""
        paths = [member.path.parent.parent for member in self.committee.members]
        histories = {
            member.name: Run(path).history()
            for member, path in zip(self.committee.members, paths, strict=True)
        }
        accuracy = {"committee": self.run.results()["test_acc"]}
        show(trainer, self.run, "curves", plots.curves(histories, accuracy))

    def _facts(
        self, trainer: Trainer, members: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, Any]:
        average = self.committee.average
        sizes = averaging.errors_by_size(members, labels, average)
        apart, pairs = averaging.disagreement(self.votes)
        return {
            "status": "complete",
            "name": self.config["name"],
            "average": average,
            "choice": "all members that were named; none by its scores",
            "members": [
                {
                    "run": member.name,
                    "weights_sha256": member.sha256,
                    "epoch": member.epoch,
                    "val_acc": member.val_acc,
                    **test_scores(labels.numpy(), votes.numpy(), _loss(log_probs, labels)),
                }
                for member, votes, log_probs in zip(
                    self.committee.members, self.votes, members, strict=True
                )
            ],
            "errors_by_size": [
                {"mean": round(row.mean, 6), "fewest": row.least, "most": row.most} for row in sizes
            ],
            "disagreement": {
                "any": apart,
                "pairs": [[round(share, 6) for share in row] for row in pairs.tolist()],
            },
            **self.committee.members[0].trained_on,
            "hardware": device_name(trainer.strategy.root_device),
            "versions": versions(),
        }


def _loss(log_probs: torch.Tensor, labels: torch.Tensor) -> float:
    return -log_probs.gather(1, labels[:, None]).mean().item()


def markdown(results: dict[str, Any]) -> str:
    """Writes the report from a committee's `results.json`."""
    members = results["members"]
    accuracy, loss, errors = (
        mean_sd([member[key] for member in members])
        for key in ("test_acc", "test_loss", "test_errors")
    )
    rows = [_row(member["run"], member, member["val_acc"]) for member in members]
    spread = f"{accuracy[0]:.4f} ± {accuracy[1]:.4f} | | {loss[0]:.4f} ± {loss[1]:.4f}"
    rows.append(f"| mean ± sd | | {spread} | {errors[0]:.1f} ± {errors[1]:.1f} |")
    rows.append(_row(f"**committee of {len(members)}**", results, None))
    sizes = [
        f"| {size} | {row['mean']:.1f} | {row['fewest']} | {row['most']} |"
        for size, row in enumerate(results["errors_by_size"], 1)
    ]
    said = results["disagreement"]
    pairs = [share for i, row in enumerate(said["pairs"]) for share in row[:i]]
    return "\n".join(
        [
            f"# {results['name']}: a committee of {len(members)}",
            "",
            f"Average of {results['average']}. Members: {results['choice']}. The test set has been"
            f" read {results['test_reads']} time(s) in this folder (`ledger.csv`).",
            "",
            "| | val acc | test acc | 95 % interval | test loss | errors |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Not all members agree on {said['any']:.2%} of the images; two of them differ on"
            f" {min(pairs):.2%} to {max(pairs):.2%}.",
            "",
            "| members | mean errors | fewest | most (over subsets) |",
            "|---|---|---|---|",
            *sizes,
            "",
            "![errors by number of members](errors_by_size.png)",
            "![errors and votes](misclassified.png)",
            "![confusion matrix](confusion.png)",
            "",
            f"{results['hardware']}; torch {results['versions']['torch']}.",
            "",
        ]
    )


def _row(name: str, scores: dict[str, Any], val_acc: float | None) -> str:
    low, high = wilson_interval(
        scores["test_images"] - scores["test_errors"], scores["test_images"]
    )
    known = "" if val_acc is None else f"{val_acc:.4f}"
    return (
        f"| {name} | {known} | {scores['test_acc']:.4f} | {low:.4f} to {high:.4f}"
        f" | {scores['test_loss']:.4f} | {scores['test_errors']} |"
    )
