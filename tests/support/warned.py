"""Warnings that a test caused."""


def of_construction(recwarn):
    """What was warned of, but for files of other tests: the collector closes those at any time."""
    return [str(w.message) for w in recwarn.list if not issubclass(w.category, ResourceWarning)]
