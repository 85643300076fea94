"""Full-reference image comparisons as pure functions: float images in [0, 1] in, a float out, no weights.

All take two (H, W, 3) float64 arrays with values 0..1 and an optional (H, W) mask of the pixels that count, and give
NaN where nothing can be said (an empty mask, an image smaller than the window).
"""

from unmask.metrics.quality.functional.differences import l1, mse, psnr, rmse, smooth_l1
from unmask.metrics.quality.functional.ms_ssim import ms_ssim
from unmask.metrics.quality.functional.ms_ssim_l1 import MsSsimL1Parts, ms_ssim_l1, ms_ssim_l1_parts
from unmask.metrics.quality.functional.ssim import ssim

__all__ = [
    "MsSsimL1Parts",
    "l1",
    "ms_ssim",
    "ms_ssim_l1",
    "ms_ssim_l1_parts",
    "mse",
    "psnr",
    "rmse",
    "smooth_l1",
    "ssim",
]
