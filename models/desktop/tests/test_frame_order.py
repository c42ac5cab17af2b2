"""The device's order of frames, against what it stored."""

from roadgaze_desktop.frame_order import device_order, shuffled


def test_the_order_is_that_of_the_device():
    # classes of the first frames of `roadgaze run --data synthetic:CF/test`, as its store holds them
    assert shuffled(82, 0)[:10] == [29, 17, 47, 3, 28, 69, 27, 56, 15, 67]
    assert sorted(shuffled(82, 3)) == list(range(82))
    assert shuffled(82, 0) != shuffled(82, 1)


def test_a_set_on_disk_is_walked_in_that_order():
    # on disk class by class; classes are numbered by their place among those of the set
    classes, count = [4, 7, 9, 30], 3
    labels = [c for c in classes for _ in range(count)]
    indices = [i for _ in classes for i in range(5, 5 + count)]
    order = device_order(labels, indices)
    expected = [(classes[c], i) for i in range(5, 5 + count) for c in shuffled(len(classes), i)]
    assert [(labels[p], indices[p]) for p in order] == expected
