"""The images: how they arrive, which are trained on, how a batch is cut and augmented.

datamodule     MNISTDataModule: split, loaders, scaling and augmentation on the device
split          which images are trained on, which validated on; folds
option_types   the kinds of numbers that options take: a seed, a count of folds
fingerprint    the same, told by hashes and compared
augment        RandomAffine and affine, a batch at a time
batches        batches as a function of (seed, epoch, step, rank)
turns          which pass over the training images begins: an epoch, or a loop by hand
datasets       the datasets of the MNIST family and their files
read           the training or test images of a dataset, read from disk and checked
download       a dataset that arrives by itself: on disk, or mirrors, or package index
mirrors        fetching from torchvision's mirrors
package_index  fetching MNIST through the package index
idx            IDX files <-> tensors
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_mnist.data.augment import RandomAffine, affine
    from lit_mnist.data.datamodule import MNISTDataModule

__all__ = ["MNISTDataModule", "RandomAffine", "affine"]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is asked for, so that the room's small files stay light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "datamodule" if name == "MNISTDataModule" else "augment"
    return getattr(import_module(f"{__name__}.{home}"), name)
