"""The callbacks that keep state across a resume, and their place among the user's."""

from collections.abc import Iterable

from lightning.pytorch import Callback

from lit_mnist.resuming.frozen import Frozen
from lit_mnist.resuming.generators import Generators
from lit_mnist.resuming.lacks import Lacks
from lit_mnist.resuming.last_metrics import LastMetrics
from lit_mnist.resuming.own_generators import OwnGenerators
from lit_mnist.resuming.own_passes import OwnPasses
from lit_mnist.resuming.partial_logs import PartialLogs
from lit_mnist.resuming.pending_gradients import PendingGradients
from lit_mnist.resuming.rank_buffers import RankBuffers
from lit_mnist.resuming.resumed_epoch import ResumedEpoch
from lit_mnist.resuming.same_sums import SameSums
from lit_mnist.resuming.saved_steps import SavedSteps
from lit_mnist.resuming.spikes import Spikes
from lit_mnist.training.callbacks import MetricsCSV
from lit_mnist.training.final_weights import FinalWeights
from lit_mnist.training.searched import Searched

_FIRST = (MetricsCSV, PartialLogs, FinalWeights)  # they say why


def keepers() -> list[Callback]:
    """Returns the callbacks that save and restore what Lightning does not, or note its lack."""
    logs: list[Callback] = [PartialLogs(), LastMetrics()]
    gradients: list[Callback] = [SameSums(), PendingGradients()]
    weights: list[Callback] = [Searched(), Frozen(), *gradients, RankBuffers()]
    # Those before it restore what the hooks that ResumedEpoch calls must not change
    others: list[Callback] = [OwnPasses(), Spikes(), SavedSteps(), Lacks()]
    return [*logs, *weights, Generators(), ResumedEpoch(), OwnGenerators(), *others]


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """Moves those of ours to the front that must come before the user's."""
    return sorted(callbacks, key=lambda one: not isinstance(one, _FIRST))
