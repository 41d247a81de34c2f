"""The allocator's settings: asked of glibc, and of nothing else."""

import ctypes
import platform

import pytest

from wildsr.config import allocator

_mallopt = allocator._mallopt  # before the tests' own, which keeps the process as it is


def test_the_three_settings(monkeypatch):
    """Names in malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD."""
    asked = {}
    monkeypatch.setattr(allocator, "_mallopt", lambda: asked.__setitem__)
    allocator.tune_allocator()
    assert asked == {-4: 0, -1: 2**31 - 1, -2: 256 << 20}
    monkeypatch.setattr(allocator, "_mallopt", lambda: None)
    allocator.tune_allocator()


@pytest.mark.parametrize(
    ("libc", "library", "found"),
    [
        ("glibc", "whole", True),
        ("", "whole", False),  # musl, macOS, Windows
        ("glibc", "without it", False),
        ("glibc", "missing", False),
    ],
)
def test_only_glibc_is_asked(libc, library, found, monkeypatch):
    def load(name):
        if library == "missing":
            raise OSError("no such library")
        return type("Library", (), {"mallopt": int} if library == "whole" else {})

    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", load)
    assert (_mallopt() is not None) == found
