"""Layers that PyTorch has too, but slower or less precise than is needed here."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_STEPS = 2**16  # values of 16 bits


class Dropout(nn.Dropout):
    """Dropout whose mask costs a tenth of PyTorch's on a CPU.

    PyTorch draws one Bernoulli number after another; here four elements share a 64-bit draw, 16
    bits each. The rate is therefore rounded to a multiple of 2**-16: 0.25 is exact, 0.2 becomes
    0.199997, and the kept elements are scaled accordingly. On other devices this is PyTorch's own
    dropout.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes random elements of a tensor of any shape while training."""
        if not self.training or x.device.type != "cpu" or self.p in (0, 1):
            return super().forward(x)
        return x * self._mask(x)

    @torch.no_grad()
    def _mask(self, x: Tensor) -> Tensor:
        """Returns a mask of zeros and scaled ones, with the memory layout of `x`."""
        dropped = min(round(self.p * _STEPS), _STEPS - 1)  # 1 would drop all and divide by 0
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        draws.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits; the default leaves one out
        # Compared in place, as 16-bit zeros and ones become floats faster than booleans do
        kept = draws.view(torch.int16)[: x.numel()].ge_(dropped - _STEPS // 2)
        mask = torch.empty_like(x)
        mask.as_strided((x.numel(),), (1,)).copy_(kept)
        return mask.mul_(_STEPS / (_STEPS - dropped))


class FullPrecisionLinear(nn.Linear):
    """A linear layer that computes in float32 at least, even under autocast.

    It is the last layer of each network, so that logits, softmax and loss have full precision.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_features), of any float type, to (N, out_features)."""
        dtype, device = torch.promote_types(self.weight.dtype, torch.float32), x.device.type
        # not on `meta`, where only shapes are worked out
        known = torch.amp.is_autocast_available(device)
        with torch.autocast(device, enabled=False) if known else nullcontext():
            return F.linear(x.to(dtype), self.weight.to(dtype), self.bias.to(dtype))
