"""Splitting, joining, and handing over a few pieces at a time."""

import os

import pytest

from roadgaze_desktop import pieces


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2500])
def test_joined_pieces_are_the_file(tmp_path, size):
    whole = tmp_path / "w.pt"
    whole.write_bytes(os.urandom(size))
    index, *parts = pieces.split(whole, tmp_path / "pieces", 1000)
    assert len(parts) == max(1, -(-size // 1000))
    joined = pieces.join(index, [tmp_path / "pieces"], tmp_path / "out")
    assert joined.read_bytes() == whole.read_bytes()


def test_damaged_and_missing_pieces_are_named(tmp_path):
    whole = tmp_path / "w.pt"
    whole.write_bytes(os.urandom(3000))
    index, *parts = pieces.split(whole, tmp_path / "pieces", 1000)
    parts[0].unlink()
    parts[1].write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match=r"2 pieces missing or damaged: w\.pt.part-000-of-003"):
        pieces.join(index, [tmp_path / "pieces"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_outbox_hands_every_piece_over_once(tmp_path):
    box = pieces.Outbox(tmp_path / "box")
    for name in "ab":
        (tmp_path / name).write_bytes(os.urandom(2500))
        box.add(tmp_path / name, 1000)
    calls = []
    while box.waiting():
        calls.append(box.hand_over(tmp_path / "out", max_files=3, max_bytes=10_000))
    assert [len(c) for c in calls] == [3, 3, 2]
    assert len({n for c in calls for n in c}) == 8
    for name in "ab":
        joined = pieces.join(tmp_path / "out" / f"{name}.pieces.json", [tmp_path / "out"], tmp_path / "joined")
        assert joined.read_bytes() == (tmp_path / name).read_bytes()


def test_no_call_carries_more_bytes_than_allowed(tmp_path):
    box = pieces.Outbox(tmp_path / "box")
    (tmp_path / "a").write_bytes(os.urandom(5000))
    box.add(tmp_path / "a", 1000)
    while box.waiting():
        taken = box.hand_over(tmp_path / "out", max_files=8, max_bytes=2500)
        assert 0 < sum((tmp_path / "out" / n).stat().st_size for n in taken) <= 2500
