"""The tests; what holds for each process that imports them is set here."""

import os

# PyTorch then asks the driver whether there is a GPU. It would set up CUDA otherwise, which the
# forks of `tests.workers` and `tests.warm` could not use any more. Lightning sets this, but later.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
