"""Classifies a picture for the page: image, probabilities, votes and verdict."""

import base64
import io
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from lit_mnist.export.reader import Answer, DigitReader, read_trained
from lit_mnist.pictures.files import as_one_image, read_grey
from lit_mnist.pictures.read import digits_in
from lit_mnist.reports import run_names
from lit_mnist.runs.folder import Run
from lit_mnist.shape import SIDE_PX

Verdict = Literal["sure", "not sure", "no digit"]


@dataclass(frozen=True)
class Model:
    """A trained run or committee.

    Attributes:
        title: Name of the run, such as `deep/committee_5`.
        reader: Its networks.
        names: Names of the ten classes.
        members: Number of its networks.
        digits: Whether the classes are digits; if not, the verdict is never "no digit".
    """

    title: str
    reader: DigitReader
    names: tuple[str, ...]
    members: int
    digits: bool
    # One picture at a time, as a large one takes a gigabyte of memory
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, path: Path, classes: Sequence[type] = (), own_labels: Sequence[str] = ()) -> Self:
        """Loads a run and classifies a blank image, as the first prediction takes longest.

        Args:
            path: The run's folder, or a `.safetensors` file exported from it.
            classes: The user's own classes that its checkpoints may name.
            own_labels: The user's names of the ten classes; empty for the data set's names.

        Raises:
            UserError: There is no such run, or one of its files is damaged.
        """
        trained = read_trained(path, classes)
        trained = trained._replace(own_labels=own_labels or trained.own_labels)
        reader = DigitReader(trained, None if path.is_file() else Run(path))
        blank = reader.predict(np.zeros((SIDE_PX, SIDE_PX), np.uint8))
        status = "" if path.is_file() else Run(path).results().get("status", "complete")
        ended = status in ("", "complete")
        return cls(
            title=run_names.of(path) + ("" if ended else f" (training {status})"),
            reader=reader,
            names=tuple(reader.labels),
            members=blank.votes.shape[1],
            digits=not reader.whole,
        )

    @property
    def what(self) -> str:
        """What the user is to draw."""
        return "a digit" if self.digits else "an image"

    def about(self) -> dict[str, Any]:
        """Returns the facts about the model that the page shows."""
        return {
            "title": self.title,
            "names": self.names,
            "members": self.members,
            "what": self.what,
        }

    def answer(self, picture: bytes) -> dict[str, Any]:
        """Reads the digit in a picture as `lit_mnist.load(RUN).predict` does.

        Args:
            picture: Content of an image file.

        Returns:
            image: Input of the networks: 28x28 uint8 pixels, row by row, in base64; None if no
                digit was found, and then only `verdict` and `seconds` are given besides.
            probabilities: Probabilities of the ten classes.
            votes: Class that each member predicts.
            best: Class with the highest probability.
            verdict: "sure", "not sure" or "no digit".
            seconds: Time that it took.

        Raises:
            UserError: The picture is damaged, too large, or no image.
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
            "verdict": self.verdict(read),
        }

    def _image(self, grey: np.ndarray) -> np.ndarray | None:
        """Returns the input of the networks, uint8 (28, 28); None if no digit is found."""
        if not self.digits:
            return as_one_image(grey, "the picture")
        found = digits_in(grey, "single")
        # A copy, as torch warns of Pillow's read-only pixels
        return found[0].image.copy() if found else None

    def verdict(self, read: Answer) -> Verdict:
        """Judges one image by the rule of `predict`."""
        if read.no_digit[0]:
            return "no digit"
        return "sure" if self.reader.sure(read.probabilities)[0] else "not sure"
