"""The ways to average a committee, known to the command line without torch."""

from typing import Literal

AVERAGES = Literal["probabilities", "logits", "vote"]
DEFAULT_AVERAGE: AVERAGES = "probabilities"
