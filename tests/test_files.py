"""A file is there whole or not at all, has a digest, and may be readable only once."""

import os

import pytest

from distal.files import contested, digest, is_pipe, replacing


def test_the_file_takes_its_name_when_the_block_ends_well(tmp_path):
    path = tmp_path / "out.txt"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


def write_half(path, manner=replacing):
    with manner(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")


def test_what_was_there_stays_when_the_block_fails(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


def test_a_killed_run_leaves_one_name_that_the_next_run_takes_up(tmp_path):
    path = tmp_path / "out.txt"
    with replacing(path) as temporary:
        name = temporary
        temporary.write_text("first")
    name.write_text("left by a run that was killed")
    with replacing(path) as temporary:
        assert temporary == name
        assert temporary.read_bytes() == b""
        temporary.write_text("second")
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "out"
    plain.write_text("")
    with replacing(path) as temporary:
        temporary.chmod(0o600)
    assert path.stat().st_mode == plain.stat().st_mode


def test_digests_are_the_published_ones_of_abc(tmp_path):
    # FIPS 180-2, appendix B.1, and RFC 1321, A.5
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "abc", "md5") == "900150983cd24fb0d6963f7d28e17f72"


def test_what_can_be_read_only_once_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    assert is_pipe("-")
    assert is_pipe(tmp_path / "pipe")
    assert not is_pipe(tmp_path / "file")
    assert not is_pipe(tmp_path / "absent")


def test_writers_of_the_same_file_never_meet(tmp_path):
    path = tmp_path / "out"
    with contested(path) as first, contested(path) as second:
        assert first != second
        first.write_text("same")
        second.write_text("same")
    assert path.read_text() == "same"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path, contested)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
