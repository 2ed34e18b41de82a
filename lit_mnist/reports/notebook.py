"""The notebook's six systems: what it measured, and how this program runs each."""

from typing import NamedTuple


class System(NamedTuple):
    """A system of the notebook.

    Attributes:
        name: What `reproduce --only` calls it.
        title: What the notebook calls it.
        config: The file in `configs/` that trains it, or its members.
        members: How many networks are averaged; 1 is a single network.
        accuracy: The notebook's test accuracy, in [0, 1], of its last epoch.
        loss: The notebook's test loss, in nats.
        note: What else the notebook says.
        epoch_s: Seconds of an epoch of one network on two cores, roughly, as seen on one machine,
            for the first estimate of the time that is left, which then corrects itself.
    """

    name: str
    title: str
    config: str
    members: int
    accuracy: float
    loss: float
    note: str
    epoch_s: float


SYSTEMS = (
    System("dense", "dense net", "dense", 1, 0.9806, 0.1149, "", 1.7),
    System("simple", "simple conv", "simple", 1, 0.9907, 0.0432, "", 6.2),
    System("simple_augmented", "+ augmentation", "simple_augmented", 1, 0.9937, 0.0209, "", 6.7),
    System(
        *("simple_plateau", "+ plateau schedule", "simple_plateau", 1, 0.9944, 0.0180),
        *("five more runs: mean 0.9935", 6.7),
    ),
    System(
        *("committee_simple", "committee of 5 simple", "simple_plateau", 5, 0.9950, 0.0145),
        *("members 0.9930 to 0.9938", 6.7),
    ),
    System(
        *("committee_deep", "committee of 5 deep", "deep", 5, 0.9974, 0.0076),
        *("members 0.9957 to 0.9971, mean 0.9965", 38.0),
    ),
)
