"""Imported once by the process that all others of a campaign are forked from."""

import wildsr.cli.degrade
import wildsr.cli.evaluate
import wildsr.cli.export
import wildsr.cli.train
import wildsr.cli.upscale  # noqa: F401
