"""A run as the page asks it: a picture in, image, probabilities, votes and verdict out."""

import base64
import io
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from lit_mnist.data.datasets import DIGITS, class_names
from lit_mnist.export.reader import DigitReader
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.models.sureness import LEAST_PROBABILITY, Abstention
from lit_mnist.pictures.files import as_one_image, read_grey
from lit_mnist.pictures.read import digits_in
from lit_mnist.runs.folder import Run
from lit_mnist.shape import CLASSES, SIDE_PX

Verdict = Literal["sure", "not sure", "no digit"]


@dataclass(frozen=True)
class Model:
    """A trained run or committee.

    Attributes:
        title: Of the run, such as `deep/committee_5`.
        reader: Its networks.
        names: Of the ten classes.
        members: How many networks it has.
        digits: Whether the classes are digits; what else they are is never no digit.
        abstention: When an answer counts as sure.
    """

    title: str
    reader: DigitReader
    names: tuple[str, ...]
    members: int
    digits: bool
    abstention: Abstention
    # One picture at a time: what becomes of warnings, of Pillow's here, is set for all threads
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Loads a run, and reads an image with it, as the first takes longest.

        Raises:
            UserError: There is no such run, or a file of it is damaged.
        """
        run = Run(folder)
        trained = TrainedRun.read(run)
        digits, names = trained.dataset in DIGITS, class_names(trained.dataset)
        reader = DigitReader(trained.model(), whole=not digits)
        blank = reader.predict(np.zeros((SIDE_PX, SIDE_PX), np.uint8))
        place = folder.resolve()
        return cls(
            title=f"{place.parent.name}/{place.name}",
            reader=reader,
            names=tuple(names or map(str, range(CLASSES))),
            members=blank.votes.shape[1],
            digits=digits,
            abstention=Abstention.of(run.results(), trained.weights_sha256),
        )

    def about(self) -> dict[str, Any]:
        """Tells the page what it shows."""
        return {"title": self.title, "names": self.names, "members": self.members}

    def answer(self, picture: bytes) -> dict[str, Any]:
        """Reads the digit in a picture as `lit_mnist.load(RUN).predict` does.

        Args:
            picture: An image file's content.

        Returns:
            image: The 28x28 pixels that the networks see, uint8 row by row, base64; None if no
                digit was found, and then there is nothing but `verdict` and `seconds` besides.
            probabilities: Of the ten classes.
            votes: The class that each member puts first.
            best: The class with the highest probability.
            verdict: "sure", "not sure" or "no digit".
            seconds: How long it took.

        Raises:
            UserError: It is no image, damaged or too large.
        """
        with self.lock:
            start = time.perf_counter()
            return self._read(picture) | {"seconds": time.perf_counter() - start}

    def _read(self, picture: bytes) -> dict[str, Any]:
        image = self._image(read_grey(io.BytesIO(picture)))
        if image is None:
            return {"image": None, "verdict": "no digit"}
        read = self.reader.predict(image)
        probabilities = read.probabilities[0]
        return {
            "image": base64.b64encode(image.tobytes()).decode(),
            "probabilities": probabilities.tolist(),
            "votes": read.votes[0].tolist(),
            "best": int(read.labels[0]),
            "verdict": self.verdict(probabilities),
        }

    def _image(self, grey: np.ndarray) -> np.ndarray | None:
        """Gives what the networks see of a picture, uint8 (28, 28)."""
        if not self.digits:
            return as_one_image(grey, "the picture")
        found = digits_in(grey, "single")
        # A copy, as Pillow's own pixels may not be written to, of which torch warns
        return found[0].image.copy() if found else None

    def verdict(self, probabilities: np.ndarray) -> Verdict:
        """Judges (10,) by the rule of `predict`; the one place of the page where it stands."""
        if self.digits and probabilities.max() < LEAST_PROBABILITY:
            return "no digit"
        return "sure" if self.abstention.sure(probabilities[None])[0] else "not sure"
