"""Which files are read, which are left out and why, and bytes as text."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from classifiers import scan_sources
from classifiers.scan_sources import Decoder, Reason, Skipped, Source, SourceSkipped, is_binary, opened, walk
from governance.errors import ConfigInvalid
from tests.scan_fakes import source_of


def names(paths: list[str], **more: Path) -> tuple[list[str], dict[str, Reason]]:
    """The files that are read, in order, and the reasons of those that are not."""
    found = list(walk(paths, **more))
    read = [str(each.relative) for each in found if isinstance(each, Source)]
    return read, {Path(each.shown).name: each.reason for each in found if isinstance(each, Skipped)}


def test_a_folder_is_walked_in_order_and_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are not followed, so that a loop ends; pipes and sockets are not opened, so that nothing blocks."""
    for folder in ("b", "a/deep", ".git", "node_modules/x", ".venv"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("b/2", "a/deep/1", "z", ".git/config", "node_modules/x/y", ".venv/z"):
        (tmp_path / file).write_text("x")
    (tmp_path / "b/loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "b/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("b/socket")

        expected = {
            "loop": Reason.LINK,
            "pipe": Reason.SPECIAL,
            "socket": Reason.SPECIAL,
            ".git": Reason.FOLDER,
            "node_modules": Reason.FOLDER,
            ".venv": Reason.FOLDER,
        }
        assert (["z", "a/deep/1", "b/2"], expected) == names([str(tmp_path)])


def test_several_folders_keep_their_names(tmp_path: Path) -> None:
    """So that their copies do not meet."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("x")

    assert (["one/x", "two/x"], {}) == names([str(tmp_path / "one"), str(tmp_path / "two")])


def test_a_folder_has_its_own_name_however_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No copy of what `..` names leaves the folder of copies."""
    (tmp_path / "one/two").mkdir(parents=True)
    (tmp_path / "one/x").write_text("x")
    (tmp_path / "one/two/y").write_text("y")
    monkeypatch.chdir(tmp_path / "one/two")

    assert (["one/x", "one/two/y", "two/y"], {}) == names(["..", "."])


def test_the_folder_of_copies_is_passed_over(tmp_path: Path) -> None:
    """Yesterday's copies are not scanned."""
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies/x").write_text("x")
    (tmp_path / "y").write_text("y")

    assert (["y"], {}) == names([str(tmp_path)], without=tmp_path / "copies")


@pytest.mark.parametrize("path", ["nofile", "a\0b", "/dev/null"])
def test_a_path_that_is_no_file_is_a_mistake_of_whoever_typed_it(path: str) -> None:
    """Before anything is scanned."""
    with pytest.raises(ConfigInvalid, match="cannot be read: "):
        list(walk([path]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    """A folder and a file without permission are trouble, not an end."""
    (tmp_path / "closed").mkdir(mode=0o000)
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o000)
    try:
        assert (["file"], {"closed": Reason.UNREADABLE}) == names([str(tmp_path)])
        with pytest.raises(SourceSkipped) as caught:
            opened(source_of(tmp_path / "file"))
    finally:
        (tmp_path / "closed").chmod(0o700)

    assert (
        Skipped(shown="file", reason=Reason.UNREADABLE, detail="permission denied", named=True) == caught.value.skipped
    )


def test_a_file_that_fails_while_it_is_read_is_skipped() -> None:
    """The memory of a process is a file that opens and does not read."""
    source = source_of(Path("/proc/self/mem"))

    with opened(source) as stream, pytest.raises(SourceSkipped) as caught:
        Decoder(source, stream)

    assert Reason.UNREADABLE is caught.value.skipped.reason


def test_a_file_that_vanishes_or_becomes_a_link_after_the_walk_is_skipped(tmp_path: Path) -> None:
    """What was walked to is opened as what it was, or not at all."""
    file = tmp_path / "x"
    file.write_text("x")
    [source] = walk([str(tmp_path)])
    assert isinstance(source, Source)
    reasons = []
    for change in (file.unlink, lambda: file.symlink_to("/etc/passwd"), lambda: (file.unlink(), os.mkfifo(file))):
        change()
        with pytest.raises(SourceSkipped) as caught:
            opened(source)
        reasons.append(caught.value.skipped.reason)

    assert [Reason.UNREADABLE, Reason.UNREADABLE, Reason.SPECIAL] == reasons


def test_a_named_pipe_without_a_writer_is_empty(tmp_path: Path) -> None:
    """Nobody waits for ever."""
    os.mkfifo(tmp_path / "pipe")
    [source] = walk([str(tmp_path / "pipe")])
    assert isinstance(source, Source)

    with opened(source) as stream:
        assert "" == "".join(Decoder(source, stream).chunks())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        "gr\u00fc\u00dfe \U0001f600".encode(),
        b"\xef\xbb\xbfwith a mark",
        b"caf\xe9 latin",
        b"\xff\xfe" + "mail \U0001f600".encode("utf-16-le"),
        b"\xfe\xff" + "mail".encode("utf-16-be"),
        b"\xff\xfe\0\0" + "mail".encode("utf-32-le"),
        b"text " * 2000 + b"\0 later",
        b"\xed\xa0\x80 a surrogate in UTF-8",
    ],
)
def test_text_becomes_the_same_bytes_again(raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is no UTF-8, and also where a chunk ends inside a character."""
    monkeypatch.setattr(scan_sources, "HEAD_BYTES", 7)
    monkeypatch.setattr(scan_sources, "_CHUNK_BYTES", 3)
    monkeypatch.setattr(scan_sources, "is_binary", lambda _: False)
    (tmp_path / "x").write_bytes(raw)

    with opened(source_of(tmp_path / "x")) as stream:
        decoder = Decoder(source_of(tmp_path / "x"), stream)
        text = "".join(decoder.chunks())

    assert (raw, len(raw)) == (decoder.encoded(text), decoder.bytes_read)


@pytest.mark.parametrize(
    ("raw", "place"),
    [(b"abc", None), (b"\xc3\xa9\xff", 2), (b"\xef\xbb\xbf\xff", 3), (b"aa\xed\xa0\x80", 2), (b"a\xf0\x9f", 1)],
)
def test_the_first_byte_that_is_not_utf8_is_told(raw: bytes, place: int | None, tmp_path: Path) -> None:
    """As a position in the file, the mark included."""
    (tmp_path / "x").write_bytes(raw)

    with opened(source_of(tmp_path / "x")) as stream:
        decoder = Decoder(source_of(tmp_path / "x"), stream)
        list(decoder.chunks())

    assert place == decoder.bad_byte


def test_binary_files_are_skipped(tmp_path: Path) -> None:
    """By the look of their beginning; half a UTF-16 character is no text either."""
    reasons = []
    for raw in (b"\x7fELF\0\0", bytes(range(1, 9)) * 9, b"\xff\xfea"):
        (tmp_path / "x").write_bytes(raw)
        with opened(source_of(tmp_path / "x")) as stream, pytest.raises(SourceSkipped) as caught:
            list(Decoder(source_of(tmp_path / "x"), stream).chunks())
        reasons.append(caught.value.skipped.reason)

    assert [Reason.BINARY, Reason.BINARY, Reason.UNDECODABLE] == reasons


def test_control_characters_of_logs_are_no_sign_of_a_binary_file() -> None:
    """Colours, tabs and form feeds are text; up to three controls in ten are."""
    assert [False, False, False, True] == [
        is_binary(b"\x1b[31mred\x1b[0m\t\x0c\r\n" * 9),
        is_binary(b""),
        is_binary(b"\1\2\3abcdefg"),
        is_binary(b"\1\2\3\4abcdef"),
    ]
