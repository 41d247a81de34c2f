"""Hydra parses each text of ``conf/`` once in a process, not once in each composition."""

import contextlib
import copy
import functools
import io

import pytest
from omegaconf import OmegaConf

parsed = OmegaConf.load


@functools.cache
def _parsed(text):
    return parsed(io.StringIO(text))


def load(file):
    """``OmegaConf.load``, which a text that was read before does not reach."""
    return copy.deepcopy(_parsed(file.read())) if hasattr(file, "read") else parsed(file)


@contextlib.contextmanager
def parsed_once():
    """A composition takes some forty files: parsing them anew is a third of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load)
        yield
