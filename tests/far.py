"""A stand-in for a tensor of a GPU, which CI has not: as strict as those of NVIDIA and of Apple."""

import torch


class Far(torch.Tensor):
    """A tensor that NumPy cannot read until `.cpu()`, and that cannot hold float64.

    All that is computed of it is of this class, too.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert a tensor of another device to numpy; use Tensor.cpu()")
        found = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu or (func is torch.Tensor.to and "cpu" in map(str, args)):
            return found.as_subclass(torch.Tensor)
        if isinstance(found, Far) and found.dtype == torch.float64:
            raise TypeError("Cannot convert a tensor of an Apple GPU to float64")
        return found
