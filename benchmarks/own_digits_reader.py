"""Trained networks that read the digits in a picture as `predict` does, and reject other shapes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from lit_mnist.models import novelty
from lit_mnist.models.features import Features
from lit_mnist.pictures import letters, read

BATCH = 500


class Reader:
    """Networks whose probabilities are averaged.

    Args:
        nets: From float images (N, 1, 28, 28) in [0, 1] to logits (N, 10).
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        self.nets, self.features = nets, Features(nets)
        self.rule: novelty.Novelty | None = None

    def fit(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Fits the rule to the held-out images (N, 28, 28) and labels (N,), as `test` does."""
        by = np.ones((len(labels), len(self.nets)), bool)
        held_out = novelty.HeldOut(self.ask(images)[1], labels, by)
        if missing := novelty.obstacle(held_out, self.features.widths):
            print(f"only low probabilities are rejected as no digit: {missing}")
            return
        drawn = letters.draw_all()
        shown = self.ask(drawn.images)[1]
        self.rule = novelty.Novelty.fit(held_out, self.features.widths, shown, drawn.labels)

    def ask(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities (N, 10) and features (N, F) of images, uint8 (N, 28, 28)."""
        probabilities = []
        with torch.inference_mode():
            for batch in torch.from_numpy(images).unsqueeze(1).split(BATCH):
                inputs = batch.float() / 255
                members = torch.stack([net(inputs).softmax(1) for net in self.nets])
                probabilities.append(members.mean(0))
            return torch.cat(probabilities).numpy(), self.features.take(len(images)).numpy()

    def texts(self, found: Sequence[list[read.Digit]]) -> list[str]:
        """Reads the digits found in pictures; returns the text of each picture."""
        images = [digit.image for digits in found for digit in digits]
        if not images:
            return [""] * len(found)
        probabilities, features = self.ask(np.stack(images))
        rejected = novelty.no_digit(probabilities, self.rule, features).tolist()
        names = probabilities.argmax(1).tolist()
        read_as = iter(
            "" if none else str(name) for none, name in zip(rejected, names, strict=True)
        )
        return ["".join(next(read_as) for _ in digits) for digits in found]
