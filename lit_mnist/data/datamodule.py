"""The data module: images in memory, the notebook's split, augmentation of training batches."""

import os
from pathlib import Path
from typing import Any

import torch
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveInt
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lit_mnist import trainers
from lit_mnist.data import download as downloads
from lit_mnist.data.as_batch import unit_floats
from lit_mnist.data.augment import Interpolation, augmentation
from lit_mnist.data.batches import Batch, TrainBatches, check_batch_size, seed_generators
from lit_mnist.data.datasets import DIGITS, Dataset, SplitName
from lit_mnist.data.eval_batches import EvalBatches
from lit_mnist.data.fingerprint import check_same, fingerprint
from lit_mnist.data.module_hook import after_transfer, in_each, in_precision
from lit_mnist.data.option_types import Folds, Seed, one_of, plain
from lit_mnist.data.split import Partition, check_fold
from lit_mnist.data.turns import Turns
from lit_mnist.pictures.files import Layout


class MNISTDataModule(LightningDataModule):
    """MNIST or a dataset of its form; 5/6 of the training images train, 1/6 validates.

    For `fit` and `validate` it never opens the test files, and for `test` never the training files.

    Args:
        data_dir: Folder that the data are read from or downloaded to, with torchvision's layout.
        dataset: Name of the dataset; EMNIST means its split `digits`.
        batch_size: Images per training step, over all ranks.
        eval_batch_size: Images per forward pass of validation, test and prediction, on each rank.
        augment: Whether training images are randomly rotated, shifted and zoomed. An epoch then
            has full batches only, as in the notebook: 581 steps of 86 images instead of 582, with a
            different 34 images left out each time.
        interpolation: How augmentation reads between pixels: bilinear as in Keras today, or the
            nearest pixel as in Keras before 2.1.3.
        shear: With augmentation: the shear is uniform in +-shear, in degrees.
        elastic: With augmentation: the standard deviation of an elastic distortion, in pixels.
        split_seed: Seed that decides which images validate.
        folds: Number of parts that the training images are cut into, in place of the 5 : 1 split.
        fold: With folds: the part that validates, from 0; the others are trained on.
        seed: Seed of batches, augmentation, dropout; None: that of `seed_everything`, else 42.
        download: Whether missing or damaged files may be downloaded.
        images: The user's pictures for `predict`: files, folders, patterns such as `scans/*.png`.
        layout: For `predict`: "single" if each picture holds one digit, "auto" for any number.
    """

    def __init__(
        self,
        data_dir: str = "data",
        dataset: Dataset = "MNIST",
        batch_size: PositiveInt = 86,
        eval_batch_size: PositiveInt = 500,
        augment: bool = False,
        interpolation: Interpolation = "bilinear",
        shear: NonNegativeFloat = 0.0,
        elastic: NonNegativeFloat = 0.0,
        split_seed: Seed = 42,
        folds: Folds | None = None,
        fold: NonNegativeInt | None = None,
        seed: Seed | None = None,
        download: bool = True,
        images: list[str] | None = None,
        layout: Layout = "auto",
    ) -> None:
        super().__init__()
        folds = None if folds is None else plain("folds", folds, Folds)
        fold = None if fold is None else plain("fold", fold, NonNegativeInt)
        check_fold(folds, fold)
        self.partition = Partition(plain("split_seed", split_seed, Seed), folds, fold)
        self.data_dir, self.dataset, self.download = Path(data_dir), dataset, download
        self.batch_size = plain("batch_size", batch_size, PositiveInt)
        self.eval_batch_size = plain("eval_batch_size", eval_batch_size, PositiveInt)
        seed = int(os.environ.get("PL_GLOBAL_SEED", 42)) if seed is None else seed
        self.seed = plain("seed", seed, Seed)
        self.augment = augmentation(augment, interpolation, shear=shear, elastic=elastic)
        self.images = [images] if isinstance(images, str) else images or []
        self.layout = one_of("layout", layout, Layout)
        self.turns = Turns(self)

    def prepare_data(self) -> None:
        """Downloads the files that a stage lacks, before anything is written for a run."""
        stage = self.trainer.state.fn if self.trainer else "fit"
        if stage != "predict" and trainers.reads_from(self.trainer, self):
            split: SplitName = "test" if stage == "test" else "train"
            downloads.load(self.dataset, split, self.data_dir, self.download)

    def setup(self, stage: str) -> None:
        """Loads the images of a stage: fit, validate, test or predict.

        Raises:
            UserError: A file is missing, damaged or not an image, or the batch size does not fit.
        """
        if not trainers.reads_from(self.trainer, self):
            return
        if stage in ("fit", "validate"):
            self.train_set = self._load("train")
            count = len(self.train_set.labels)
            self.train_indices, self.val_indices = self.partition.split(count)
        if stage == "fit":
            check_fold(self.partition.folds, self.partition.fold, needed=True)
            batches = self.train_dataloader()
            if isinstance(batches, TrainBatches):  # not the loader of a subclass
                check_batch_size(batches)
        if stage == "test":
            self.test_set = self._load("test")
        if stage == "predict":
            from lit_mnist.pictures import read  # OpenCV, which training does without

            whole = self.dataset not in DIGITS  # Fashion, Kuzushiji
            self.pictures = read.read_paths(self.images, self.layout, whole=whole)
            self.digits = torch.from_numpy(read.digit_images(self.pictures))

    def train_dataloader(self) -> TrainBatches:
        """Returns the shuffled training batches, this rank's slice of each.

        Each epoch has a new order, except under `Trainer(overfit_batches=...)`.
        """
        return TrainBatches(
            self.train_set.images,
            self.train_set.labels,
            self.train_indices,
            batch_size=self.batch_size,
            drop_last=self.augment is not None,
            seed=self.seed,
            turn=self.turns,
            reshuffle=not (self.trainer and self.trainer.overfit_batches),  # type: ignore[attr-defined] # set in its __init__
            **self._place(),
        )

    def val_dataloader(self) -> EvalBatches:
        """Returns the held-out images."""
        return self._eval_batches(self.train_set.images, self.train_set.labels, self.val_indices)

    def test_dataloader(self) -> EvalBatches:
        """Returns the test set in index order."""
        images, labels = self.test_set.images, self.test_set.labels
        return self._eval_batches(images, labels, torch.arange(len(labels)))

    def predict_dataloader(self) -> EvalBatches:
        """Returns the digits in the user's pictures; their labels are unknown and set to -1."""
        count = len(self.digits)
        return self._eval_batches(self.digits, torch.full((count,), -1), torch.arange(count))

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Scales images to [0, 1] and augments training batches; seeds the step's randomness.

        What a loader of a subclass gives is left to the module, whose own such hook follows.
        """
        return after_transfer(self.trainer, in_each(self._prepared, batch), dataloader_idx)

    def _prepared(self, batch: Batch) -> Batch:
        images = unit_floats(batch.images)
        if batch.seed is not None:
            seed_generators(batch.seed, images.device)  # dropout draws from it next
            images = self.augment(images) if self.augment else images
        return batch.replace(images=in_precision(self.trainer, images))

    def fingerprint(self, partition: Partition | None = None) -> dict[str, Any]:
        """Returns hashes (SHA-256) of the images that a model is trained and validated on.

        Args:
            partition: A split to use in place of the module's own.
        """
        return fingerprint(self, partition)

    def state_dict(self) -> dict[str, Any]:
        """Returns the fingerprint, which each checkpoint stores."""
        return self.fingerprint() if trainers.reads_from(self.trainer, self) else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on other data or another split.

        Raises:
            UserError: Naming what differs.
        """
        part = self.partition if self.partition.whole else None
        if part:  # a committee's, of whose members each has left out a part of its own
            part = part._replace(fold=state_dict.get("fold"))
        if trainers.reads_from(self.trainer, self):
            check_same(self.fingerprint(part), state_dict)

    def _load(self, split: SplitName) -> downloads.Split:
        """Reads a split and moves it to the device, so that a batch is one index operation."""
        loaded = downloads.load(self.dataset, split, self.data_dir, self.download)
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return loaded._replace(images=loaded.images.to(device), labels=loaded.labels.to(device))

    def _eval_batches(self, images: Tensor, labels: Tensor, indices: Tensor) -> EvalBatches:
        place = self._place()
        return EvalBatches(images, labels, indices, batch_size=self.eval_batch_size, **place)

    def _place(self) -> dict[str, int]:
        one = self.trainer
        return {"rank": one.global_rank, "world_size": one.world_size} if one else {}
