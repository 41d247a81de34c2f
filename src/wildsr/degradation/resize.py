"""Antialiased resizing, equal to Pillow's, with its own size for each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.degradation.interpolant import box, cubic, lanczos, triangle
from wildsr.error import UserError, unknown
from wildsr.pixels import at_least_float32

_KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {  # kernel and radius
    "area": (box, 0.5),
    "bilinear": (triangle, 1.0),
    "bicubic": (cubic, 2.0),
    "lanczos": (lanczos, 3.0),
}
KINDS = ("nearest", *_KERNELS)
_TORCH_SIDE = 64  # pixels; up to it F.interpolate's float32 positions cause errors below 1e-5
_TILE = 32  # output pixels of one matrix product on a CPU; with gradient, twice as many


def resize(
    image: Tensor,
    size: Sequence[int],
    kind: str = "bicubic",
    valid: Tensor | None = None,
    filled: Tensor | None = None,
) -> Tensor:
    r"""Resize with antialiasing, equal to Pillow's ``Image.resize`` of a float image.

    Along each axis, from ``n`` pixels to ``m``, with r = n / m, s = max(r, 1) and the kernel f:

    .. math:: out_i = \sum_k f((k + 1/2 - c_i) / s) \, in_k \, / \sum_k f((k + 1/2 - c_i) / s),
        \quad c_i = r (i + 1/2)

    over the k within the image: downscaling is low-pass filtered, and a constant stays constant up
    to the border. 'nearest' takes the pixel that contains c_i, without antialiasing. Each axis is a
    product with a matrix of such weights, at full precision also under autocast. For samples of
    equal sizes ``F.interpolate`` is used if it is within 1e-5 and faster: area by integer factors,
    bilinear, and bicubic without gradient.

    Samples of different sizes share one canvas: each lies in its top left corner. The rest of the
    input is ignored, but must be finite; in the output the last row and column of the sample are
    repeated there, plausible content for later blurs and JPEG blocks.

    Args:
        image: (B, C, H, W), floating point, of any range.
        size: (H', W') of the output.
        kind: "nearest", "area" (a box), "bilinear", "bicubic" (a = -0.5) or "lanczos" (3 lobes).
        valid: (B, 2) integers, the height and width of each sample in ``image``; None: all of it.
            Preferably on the CPU, as they are copied there.
        filled: (B, 2) integers, the height and width of each sample in the output; None: all of it.

    Returns:
        (B, C, H', W'), float32 at least, not clamped (bicubic and lanczos leave the range of the
        input at edges); differentiable in ``image``.

    Raises:
        UserError: an unknown kind, or shapes and sizes that do not fit the above.
    """
    size = _check(image, size, kind)
    image = at_least_float32(image)
    canvas = (image.shape[2], image.shape[3])
    own = _sizes("valid", valid, canvas, len(image))
    target = _sizes("filled", filled, size, len(image))
    if len(own) > 1 and bool((own == own[0]).all() and (target == target[0]).all()):
        own, target = own[:1], target[:1]
    # bfloat16 has fewer levels than 8 bits.
    with torch.autocast(image.device.type, enabled=False):
        if len(own) == 1:
            sides = own[0].tolist(), target[0].tolist()
            if _torch_will_do(kind, *sides, _has_gradient(image)):
                return _by_torch(image, size, kind, *sides)
        taps = [_taps(kind, own[:, i], target[:, i], size[i]) for i in (0, 1)]
        if kind == "nearest":
            return _picked(image, *(index[..., 0].to(image.device) for index, _ in taps))
        # The axis that shrinks most first, which is cheapest.
        order = (0, 1) if size[0] * canvas[1] <= size[1] * canvas[0] else (1, 0)
        for axis in order:
            image = _along(image, *taps[axis], dim=axis + 2)
        return image


def _taps(kind: str, own: Tensor, target: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Which pixels make each of ``length`` output pixels along one axis, and their weights.

    Two tensors (B, length, K). All in float64 and in Pillow's order of operations: a tie between
    two pixels falls as it falls there.
    """
    own, target = own[:, None], target[:, None]
    scale = own.double() / target
    position = torch.minimum(torch.arange(length), target - 1)  # beyond, the last one again
    if kind == "nearest":
        steps = scale.repeat(1, length)
        steps[:, 0] /= 2
        index = steps.cumsum(1).long().gather(1, position)  # Pillow adds step after step, too
        index = torch.minimum(index, own - 1)[..., None]
        return index, torch.ones_like(index, dtype=torch.float64)
    kernel, radius = _KERNELS[kind]
    stretch = scale.clamp_min(1)
    centre = (position + 0.5) * scale
    first = (centre - radius * stretch + 0.5).floor().clamp_min(0)
    end = torch.minimum((centre + radius * stretch + 0.5).floor(), own)
    tap = first[..., None] + torch.arange(int((end - first).max()))
    weight = kernel((tap - centre[..., None] + 0.5) * (1 / stretch)[..., None])
    weight = weight * (tap < end[..., None])
    index = torch.minimum(tap.long(), own[..., None] - 1)
    return index, weight / weight.sum(2, keepdim=True)


def _along(image: Tensor, index: Tensor, weight: Tensor, dim: int) -> Tensor:
    """Weighted sums of pixels along ``dim``, 2 or 3; taps (B or 1, length, K) as of ``_taps``.

    On a CPU tile by tile: nearby output pixels need but a stretch of the input, so that the
    matrices stay small.
    """
    tile = index.shape[1]
    if image.device.type == "cpu":
        tile = 2 * _TILE if _has_gradient(image) else _TILE
    weight = weight.to(image.dtype)
    parts = []
    for near, shares in zip(index.split(tile, 1), weight.split(tile, 1), strict=True):
        start = int(near.min())
        length = int(near.max()) + 1 - start
        matrix = image.new_zeros(*near.shape[:2], length)  # (B or 1, output, input)
        matrix.scatter_add_(2, (near - start).to(image.device), shares.to(image.device))
        parts.append(_product(image.narrow(dim, start, length), matrix, dim))
    return torch.cat(parts, dim) if len(parts) > 1 else parts[0]


def _product(image: Tensor, matrix: Tensor, dim: int) -> Tensor:
    """``matrix`` (B or 1, output, input) applied to the columns (2) or the rows (3)."""
    if dim == 2:
        return matrix[0] @ image if len(matrix) == 1 else matrix[:, None] @ image
    matrix = matrix.transpose(1, 2)
    if len(matrix) == 1:
        return image @ matrix[0]
    return torch.bmm(image.flatten(1, 2), matrix).unflatten(1, image.shape[1:3])


def _has_gradient(image: Tensor) -> bool:
    return image.requires_grad and torch.is_grad_enabled()


def _picked(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at ``rows`` (B or 1, H') and ``columns`` (B or 1, W')."""
    if len(rows) == 1:
        return image.index_select(2, rows[0]).index_select(3, columns[0])
    batch, channels, _, width = image.shape
    at = rows[:, None, :, None].expand(batch, channels, -1, width)
    tall = image.gather(2, at)
    return tall.gather(3, columns[:, None, None].expand(*tall.shape[:3], -1))


def _torch_will_do(kind: str, own: list[int], target: list[int], gradient: bool) -> bool:
    """Whether ``F.interpolate`` is within 1e-5 of the image's range and quicker.

    It computes positions in float32: exact for a ratio that float32 holds, else off by about 5e-8
    times the smaller side. On a CPU (torch 2.14) it fills a column of pixels with its first one.
    """
    pairs = list(zip(own, target, strict=True))
    if own == target or kind == "area":
        return all(n % m == 0 for n, m in pairs)
    if kind not in ("bilinear", "bicubic") or target[1] == 1 or (kind == "bicubic" and gradient):
        return False
    ratios = torch.tensor(own, dtype=torch.float64) / torch.tensor(target)
    held = (ratios == ratios.float()).tolist()
    return all(ok or min(pair) <= _TORCH_SIDE for ok, pair in zip(held, pairs, strict=True))


def _by_torch(
    image: Tensor, size: tuple[int, int], kind: str, own: list[int], target: list[int]
) -> Tensor:
    picture = image[..., : own[0], : own[1]]
    if own != target:
        picture = F.interpolate(picture, size=target, mode=kind, antialias=kind != "area")
    beyond = (0, size[1] - target[1], 0, size[0] - target[0])
    return F.pad(picture, beyond, mode="replicate") if any(beyond) else picture


def _check(image: Tensor, size: Sequence[int], kind: str) -> tuple[int, int]:
    if image.ndim != 4 or image.numel() == 0 or not image.is_floating_point():
        raise UserError(
            "Argument `image` must be (B, C, H, W) of floats, "
            f"but got {tuple(image.shape)} of {image.dtype}."
        )
    if kind not in KINDS:
        raise unknown("Argument `kind`", kind, KINDS)
    return _two_sides(size)


def _two_sides(size: Sequence[int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, Sequence) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise UserError(
            f"Argument `size` must be a height and a width of at least 1, but got {size!r}."
        )
    return sides[0], sides[1]


def _sizes(name: str, given: Tensor | None, canvas: tuple[int, int], batch: int) -> Tensor:
    """``given`` on the CPU, or the canvas for every sample, (B, 2)."""
    if given is None:
        return torch.tensor(canvas).expand(batch, 2)
    if given.shape != (batch, 2) or given.is_floating_point() or given.dtype == torch.bool:
        raise UserError(
            f"Argument `{name}` must be ({batch}, 2) integers, "
            f"but got {tuple(given.shape)} of {given.dtype}."
        )
    given = given.detach().cpu().long()
    if bool((given < 1).any() or (given > torch.tensor(canvas)).any()):
        raise UserError(
            f"Argument `{name}` must hold heights from 1 to {canvas[0]} and widths from 1 to "
            f"{canvas[1]}, but got {given.tolist()}."
        )
    return given
