"""A stock Trainer that trains one batch, without a word."""

from lightning.pytorch import Trainer


def trainer(tmp_path, **options):
    return Trainer(
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **{"logger": False, "limit_train_batches": 1, "limit_val_batches": 1} | options,
    )
