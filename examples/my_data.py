"""A data set of your own: from FOLDER/train/0 to FOLDER/test/9, full of image files, to IDX files.

python examples/my_data.py FOLDER DATA_DIR
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx

folder, data_dir = map(Path, sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
spec = DATASETS["EMNIST"]  # its classes are digits, and its files may be anyone's
for split, names in spec.files.items():
    paths = sorted(path for path in folder.glob(f"{split}/*/*") if not path.name.startswith("."))
    classes = {path.parent.name for path in paths}
    if not classes or classes - {*"0123456789"}:
        sys.exit(f"{folder / split}: needs folders 0 to 9 of images, and has {classes or 'none'}")
    images = [np.array(Image.open(path).convert("L").resize((28, 28))) for path in paths]
    targets = [spec.folder(data_dir) / name for name in names]
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    write_idx(targets[0], torch.from_numpy(np.stack(images).transpose(0, 2, 1)))  # as EMNIST's
    write_idx(targets[1], torch.tensor([int(path.parent.name) for path in paths]).byte())
    print(f"{split}: {len(paths)} images in {targets[0].parent}")
