"""Check the keys that say which values of a photo are read: bands, pages, ranges, kinds."""

from __future__ import annotations

from omegaconf import DictConfig, ListConfig

from wildsr.config.value import check_choice, is_number, is_whole
from wildsr.error import UserError, shortened


def check_measured(config: DictConfig) -> None:
    """Refuse invalid ``bands``, ``page``, ``range`` and ``identity`` (for measured values)."""
    bands = config.bands
    listed = isinstance(bands, ListConfig) and len(bands) > 0
    if bands not in (None, "all") and not (listed and all(is_whole(b) and b >= 1 for b in bands)):
        raise UserError(
            "`bands` must be a list of numbers from 1, such as [3, 2, 1], all or null, but got "
            f"{shortened(bands, '')}."
        )
    if config.page is not None and not (is_whole(config.page) and config.page >= 1):
        raise UserError(f"`page` must be 1 or more, or null, but got {shortened(config.page)}.")
    wish = config.range
    pair = isinstance(wish, ListConfig) and len(wish) == 2 and all(is_number(v) for v in wish)
    if wish not in (None, "auto", "window") and not (pair and wish[0] < wish[1]):
        raise UserError(
            f"`range` must be [low, high], auto, window or null, but got {shortened(wish, '')}."
        )
    check_choice(config, "identity", ("remove", "keep"))


def check_shown(config: DictConfig) -> None:
    """Refuse invalid ``bands`` and ``window`` of pictures that are shown."""
    bands, window = config.bands, config.window
    listed = isinstance(bands, ListConfig) and len(bands) in (1, 3)
    if bands is not None and not (listed and all(is_whole(b) and b >= 1 for b in bands)):
        raise UserError(
            "`bands` must be one or three numbers from 1, such as [4, 3, 2], or null, but got "
            f"{shortened(bands, '')}."
        )
    pair = isinstance(window, ListConfig) and len(window) == 2 and all(map(is_number, window))
    if window is not None and not (pair and window[0] < window[1]):
        raise UserError(f"`window` must be [low, high] or null, but got {shortened(window, '')}.")


def check_sensor(config: DictConfig) -> None:
    """Refuse invalid channels, depth, ranges and bands of a training's photos."""
    if "channels" in config.data:
        from wildsr.data.declared import check_kind

        keys = ("channels", "depth", "range", "range_hr", "bands")
        check_kind(*(config.data.get(key) for key in keys))  # data=photo has one range
