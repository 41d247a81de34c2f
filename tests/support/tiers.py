"""Rows of a table of tests: a part of them at once, all of them with ``make test-heavy``."""

import pytest


def only(some, rows):
    """Only some of these rows are tried at once."""
    assert set(some) <= set(rows)
    return [_row(row, row in some) for row in rows]


def thinned(rows, every, place=lambda number: number):
    """Every ``every``-th of these rows is tried at once.

    ``place(number)`` is where a row stands, if not in the order of the table.
    """
    return [_row(row, place(number) % every == 0) for number, row in enumerate(rows)]


def diagonal(rows, columns, every):
    """(row, column) of a table, all pairs: each row and each column at once, but not each pair."""
    pairs = [(row, column) for row in rows for column in columns]
    return thinned(pairs, every, lambda number: sum(divmod(number, len(columns))))


def _row(row, at_once):
    values = row if isinstance(row, tuple) else (row,)
    return pytest.param(*values, marks=() if at_once else pytest.mark.heavy)
