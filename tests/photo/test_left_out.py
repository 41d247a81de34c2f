"""What is said of what a search did not take."""

from wildsr.photo.left_out import SHOWN, LeftOut


def test_nothing_needs_no_words():
    assert (LeftOut().words(), LeftOut().because()) == ("", "")


def test_everything_is_counted_in_half_a_sentence():
    left = LeftOut()
    left.kinds.update({".txt": 2, ".mov": 1})
    left.links, left.odd = 1, 2
    left.results += ["old, a run", "older, a run"]
    left.closed += ["secret"]
    assert left.words() == (
        "3 files of other kinds (2 .txt, 1 .mov); 1 link that lead out of the folder; "
        "2 files that cannot be opened as regular files; 2 folders of results (old, a run); "
        "1 folder that cannot be listed (secret)"
    )
    assert left.because() == f" (left out: {left.words()})"


def test_of_many_kinds_the_most_frequent_are_named():
    left = LeftOut()
    left.kinds.update({f".{number}": number + 1 for number in range(SHOWN + 3)})
    assert f"{SHOWN + 3} .{SHOWN + 2}, " in left.words()
    assert left.words().endswith(", ...)")
