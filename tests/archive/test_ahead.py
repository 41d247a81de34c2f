"""What is found in a thread comes in order, within bounds, and its errors come, too."""

import threading

import pytest

from wildsr.archive.ahead import Ahead


def test_things_come_in_order_and_are_counted():
    ahead = Ahead(([n, n + 1] for n in range(0, 100, 2)), str)
    assert list(ahead) == [str(n) for n in range(100)]
    assert (ahead.found, ahead.complete) == (100, True)


def test_the_first_comes_while_others_are_being_found():
    more = threading.Event()

    def batches():
        yield ["first"]
        more.wait(60)
        yield ["second"]

    ahead = Ahead(batches(), str)
    things = iter(ahead)
    assert next(things) == "first"
    assert (ahead.found, ahead.complete) == (1, False)
    more.set()
    assert list(things) == ["second"]


def test_no_more_is_found_than_may_wait():
    asked = []
    ahead = Ahead((asked.append(n) or [n] * 10 for n in range(1000)), int, most=50)
    things = iter(ahead)
    for _ in range(200):
        next(things)
    assert len(asked) <= 27
    ahead.close()
    assert len(list(things)) <= 70
    assert not ahead.complete


def test_what_the_search_raises_comes_after_what_it_found():
    def batches():
        yield [1]
        raise ValueError("gone")

    things = iter(Ahead(batches(), int))
    assert next(things) == 1
    with pytest.raises(ValueError, match="gone"):
        next(things)
