"""The notebook's six systems: its results, and how this program runs each."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class System:
    """A system of the notebook.

    Attributes:
        name: Its name in `reproduce --only`.
        title: Its name in the notebook.
        config: The shipped config that trains it, or its members.
        accuracy: The notebook's test accuracy after the last epoch, in [0, 1].
        loss: The notebook's test loss, in nats.
        epoch_s: Rough duration of an epoch of one network on two cores of one machine, in seconds,
            for the first estimate of the remaining time.
        members: Number of networks that are averaged; 1 for a single network.
        note: A remark of the notebook.
    """

    name: str
    title: str
    config: str
    accuracy: float
    loss: float
    epoch_s: float
    members: int = 1
    note: str = ""


SYSTEMS = (
    System(
        name="dense",
        title="dense net",
        config="dense",
        accuracy=0.9806,
        loss=0.1149,
        epoch_s=1.7,
    ),
    System(
        name="simple",
        title="simple conv",
        config="simple",
        accuracy=0.9907,
        loss=0.0432,
        epoch_s=6.2,
    ),
    System(
        name="simple_augmented",
        title="+ augmentation",
        config="simple_augmented",
        accuracy=0.9937,
        loss=0.0209,
        epoch_s=6.7,
    ),
    System(
        name="simple_plateau",
        title="+ plateau schedule",
        config="simple_plateau",
        accuracy=0.9944,
        loss=0.0180,
        note="five more runs: mean 0.9935",
        epoch_s=6.7,
    ),
    System(
        name="committee_simple",
        title="committee of 5 simple",
        config="simple_plateau",
        members=5,
        accuracy=0.9950,
        loss=0.0145,
        note="members 0.9930 to 0.9938",
        epoch_s=6.7,
    ),
    System(
        name="committee_deep",
        title="committee of 5 deep",
        config="deep",
        members=5,
        accuracy=0.9974,
        loss=0.0076,
        note="members 0.9957 to 0.9971, mean 0.9965",
        epoch_s=38.0,
    ),
)
