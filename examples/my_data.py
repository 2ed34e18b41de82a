"""A data set of your own: from FOLDER/train/0 to FOLDER/test/9, full of image files, to IDX files.

python examples/my_data.py FOLDER DATA_DIR
"""

import sys
from pathlib import Path

import torch

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx
from lit_mnist.errors import UserError
from lit_mnist.pictures.files import find, read_all  # as `predict` reads: transparent ones, too

folder, data_dir = map(Path, sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
spec = DATASETS["EMNIST"]  # its classes are digits, and its files may be anyone's
for split, names in spec.files.items():
    classes = sorted(path for path in folder.glob(f"{split}/[!.]*") if path.is_dir())
    if not classes or {path.name for path in classes} - {*"0123456789"}:
        sys.exit(f"{folder / split}: needs folders 0 to 9 of images, and no others")
    try:
        images = torch.from_numpy(read_all(paths := find(classes)).transpose(0, 2, 1))  # EMNIST's
    except UserError as error:
        sys.exit(str(error))
    (data := spec.folder(data_dir)).mkdir(parents=True, exist_ok=True)
    write_idx(data / names[0], images)
    write_idx(data / names[1], torch.tensor([int(path.parent.name) for path in paths]).byte())
    print(f"{split}: {len(paths)} images in {data}")
