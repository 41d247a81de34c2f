from wildsr.calibration.groups import by_coding
from wildsr.degradation.coding import JPEGCoding


def codings(*qualities):
    return [None if q is None else JPEGCoding.libjpeg(q) for q in qualities]


def test_two_qualities_far_apart_are_two_groups():
    groups = by_coding(codings(*[90, 50] * 20))
    assert sorted(map(len, groups)) == [20, 20]
    assert sorted(groups[0] + groups[1]) == list(range(40))
    assert {i % 2 for i in groups[0]} in ({0}, {1})


def test_photos_without_jpeg_are_a_group():
    groups = by_coding(codings(*[None, 85, 88] * 15))
    assert sorted(map(len, groups)) == [15, 30]


def test_a_continuum_is_one_group():
    assert by_coding(codings(*range(50, 96))) == [list(range(46))]


def test_few_photos_are_no_group():
    assert len(by_coding(codings(*[90] * 30, *[40] * 5))) == 1
    assert len(by_coding(codings(90, 40))) == 1
    assert by_coding(codings(90)) == [[0]]
