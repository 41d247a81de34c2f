"""Every photo belongs to one part, by its name alone, and the environment says to which."""

import hashlib

import pytest

from wildsr.archive.shard import Shard, place, shard_of
from wildsr.error import UserError

NAMES = [f"album{n % 7}/photo {n}.jpg" for n in range(3000)]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 64])
def test_every_name_is_in_one_part_and_parts_are_of_like_size(count):
    parts = [[n for n in NAMES if n in Shard(k, count)] for k in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    fair = len(NAMES) / count
    assert all(abs(len(part) - fair) < 5 * fair**0.5 for part in parts)


def test_a_part_is_told_by_the_hash_that_is_documented():
    name = "sub/caf\u00e9.png"
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    assert place(name) == number
    assert name in Shard(number % 10 + 1, 10)
    assert "odd\udcff.png" in Shard(place("odd\udcff.png") % 3 + 1, 3)  # bytes that are no text


def array(number, count, least=0, step=1, most=None):
    most = least + (count - 1) * step if most is None else most
    values = {"ID": number, "COUNT": count, "MIN": least, "STEP": step, "MAX": most}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("value", "environment", "part"),
    [
        (None, array(3, 10), "1/1"),
        ("2/5", array(3, 10), "2/5"),
        (" 2 / 5 ", {}, "2/5"),
        ("auto", {}, "1/1"),
        ("auto", array(0, 10), "1/10"),
        ("auto", array(9, 10), "10/10"),
        ("auto", array(1, 4, least=1), "1/4"),
        ("auto", array(20, 4, least=5, step=5), "4/4"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "3"}, "3/3"),
        ("auto", {"RANK": "0", "WORLD_SIZE": "1"}, "1/1"),
        ("auto", {"RANK": "3", "WORLD_SIZE": "4"}, "4/4"),
        ("auto", {"RANK": "3"}, "1/1"),
        ("auto", {"RANK": "", "WORLD_SIZE": "x"}, "1/1"),
        ("auto", {**array(2, 3), "RANK": "1", "WORLD_SIZE": "2"}, "6/6"),
    ],
)
def test_what_was_asked_for(value, environment, part):
    assert str(shard_of(value, environment)) == part


def test_all_tasks_of_an_array_with_ranks_are_all_parts():
    found = {
        str(shard_of("auto", {**array(i, 3, least=1), "RANK": str(r), "WORLD_SIZE": "2"}))
        for i in (1, 2, 3)
        for r in (0, 1)
    }
    assert found == {f"{n}/6" for n in range(1, 7)}


@pytest.mark.parametrize(
    "value", ["0/3", "4/3", "1/0", "3", "1/2/3", "all", "-1/2", 3, 0.5, True, []]
)
def test_what_is_no_part(value):
    with pytest.raises(UserError, match=r"`shard` must be k/n with 1 <= k <= n"):
        shard_of(value, {})


@pytest.mark.parametrize(
    "environment", [array(7, 3, least=1, most=7), array(4, 2, least=1, step=2)]
)
def test_an_array_with_gaps_has_no_places(environment):
    with pytest.raises(UserError, match="numbers have gaps"):
        shard_of("auto", environment)
