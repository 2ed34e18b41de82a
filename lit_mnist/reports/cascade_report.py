"""Cost and predictions of a committee as a cascade: computed in each test, timed on request."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lit_mnist.errors import UserError
from lit_mnist.models import cascade
from lit_mnist.models.averaging import combine
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.reports.predictions import Predictions
from lit_mnist.runs.folder import Run

KEY = "cascade"  # in results.json
BATCH = 500  # images per batch while timing


def facts(held_out: Predictions, predictions: Predictions, hashes: Sequence[str]) -> dict[str, Any]:
    """Returns the cascade's entry of `results.json`, with thresholds from held-out images."""
    limits = cascade.thresholds(held_out.member_log_probs.transpose(0, 1).exp())
    found: dict[str, Any] = {"thresholds": limits, "members_sha256": list(hashes)}
    for split, predicted in (("val", held_out), ("test", predictions)):
        members = predicted.member_log_probs.transpose(0, 1).exp()
        outcome = cascade.outcome(members, limits)
        answers = outcome.probabilities.argmax(1)
        found[split] = {
            "images": len(answers),
            "members_per_image": round(float(outcome.used.double().mean()), 4),
            "changed": int((answers != members.mean(0).argmax(1)).sum()),
            "errors": int((answers != predicted.labels).sum()),
        }
    return found


@torch.inference_mode()
def seconds(committee: EnsembleModule, images: Tensor, limits: Sequence[float]) -> dict[str, float]:
    """Times the cascade and the whole committee, alternating by batch so that load affects both.

    Args:
        committee: The committee, on its device.
        images: uint8 (N, 28, 28).
        limits: The cascade's thresholds.

    Returns:
        `in_turn` and `all`: seconds for the N images.
    """
    runs = {
        "in_turn": lambda some: committee.run_cascade(some, limits).probabilities,
        "all": lambda some: combine(committee.log_probs(some), committee.average),
    }
    spent = dict.fromkeys(runs, 0.0)
    for batch in images.split(BATCH):
        scaled = batch.to(committee.device)[:, None].float() / 255
        for name, predict in runs.items():
            began = time.perf_counter()
            predict(scaled).cpu()  # synchronises the device
            spent[name] += time.perf_counter() - began
    return {name: float(f"{value:.3g}") for name, value in spent.items()}


def thresholds(run: Run, committee: EnsembleModule) -> list[float]:
    """Returns the thresholds that the test of exactly these members has set.

    Raises:
        UserError: There was no such test.
    """
    stored = run.results().get(KEY) or {}
    if stored.get("members_sha256") != [member.sha256 for member in committee.members]:
        raise UserError(
            f"--model.cascade: {run.folder} holds no thresholds for these members; test the"
            " committee first, with the same --name"
        )
    return [float(limit) for limit in stored["thresholds"]]


def summary(found: dict[str, Any]) -> str:
    """Summarises cost and predictions of the cascade on the test images in one line."""
    test, members = found["test"], len(found["members_sha256"])
    text = (
        f"as a cascade: {test['members_per_image']:.2f} of {members} members an image,"
        f" {test['errors']} errors, {test['changed']} answers changed"
    )
    spent = found.get("test_seconds")
    return f"{text}; {spent['in_turn']:.2f} s instead of {spent['all']:.2f} s" if spent else text
