"""Names of the ways to average a committee, importable without torch for the command line."""

from typing import Literal

AVERAGES = Literal["probabilities", "logits", "vote"]
DEFAULT_AVERAGE: AVERAGES = "probabilities"
