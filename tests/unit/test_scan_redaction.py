"""Copies: what was found is replaced, and nothing else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from classifiers.scan_redaction import Copies, CopyFailed
from governance.cli import _placeholders
from governance.errors import ConfigInvalid
from tests.scan_fakes import document_of, source_of

CASES = {
    "x.txt": ("a@b.de, c@d.de\r\na@b.de\n", "<EMAIL_ADDRESS_1>, <EMAIL_ADDRESS_2>\r\n<EMAIL_ADDRESS_1>\n"),
    "y.txt": ("<EMAIL_ADDRESS_1> was a@b.de", "<EMAIL_ADDRESS_1> was <EMAIL_ADDRESS_2>"),
    "x.json": (
        r'{ "a" :"\ud83d\ude00 a\u0040b.de\n",  "n":4111111111111111 ,"a@b.de":["a@b.de c@d.de", 1.0] }',
        (
            r'{ "a" :"\ud83d\ude00 <EMAIL_ADDRESS_1>\n",  "n":"<CREDIT_CARD_1>" ,'
            r'"<EMAIL_ADDRESS_1>":["<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2>", 1.0] }'
        ),
    ),
    "x.jsonl": ('{"a":"a@b.de"}\nno json a@b.de\n', '{"a":"<EMAIL_ADDRESS_1>"}\nno json <EMAIL_ADDRESS_1>\n'),
    "x.csv": (
        'id;mail;note\r\n1;a@b.de;"""a@b.de"" ; x"\r\n',
        'id;mail;note\r\n1;<EMAIL_ADDRESS_1>;"""<EMAIL_ADDRESS_1>"" ; x"\r\n',
    ),
    "empty": ("", ""),
}


def copied(path: Path, folder: Path, *, force: bool = False) -> Path:
    """The copy of `path` in `folder`."""
    copies = Copies(folder, _placeholders, force=force)
    copies.admit([source_of(path)])
    document, decoder = document_of(path, whole=True)
    copies.write(source_of(path), document, decoder.encoded)
    return folder / path.name


@pytest.mark.parametrize("name", CASES)
def test_findings_are_replaced_and_nothing_else_is(name: str, tmp_path: Path) -> None:
    """The same value has the same placeholder; one that is in the file already is not used."""
    given, expected = CASES[name]
    path = tmp_path / name
    path.write_bytes(given.encode())
    path.chmod(0o640)

    copy = copied(path, tmp_path / "out")

    assert expected == copy.read_bytes().decode()
    assert (given, 0o640) == (path.read_bytes().decode(), stat.S_IMODE(copy.stat().st_mode))
    assert [copy.name] == [each.name for each in (tmp_path / "out").iterdir()]
    if name.endswith(".json"):
        json.loads(expected)


def test_a_copy_is_in_the_encoding_of_its_original(tmp_path: Path) -> None:
    """Byte order mark and all."""
    (tmp_path / "x").write_bytes(b"\xff\xfe" + "\u00fc a@b.de".encode("utf-16-le"))

    assert (
        b"\xff\xfe" + "\u00fc <EMAIL_ADDRESS_1>".encode("utf-16-le")
        == copied(tmp_path / "x", tmp_path / "o").read_bytes()
    )


def test_of_what_was_not_read_to_its_end_there_is_no_copy(tmp_path: Path) -> None:
    """It may hold what nobody saw."""
    (tmp_path / "x").write_bytes(b"\xff a@b.de")

    with pytest.raises(CopyFailed):
        copied(tmp_path / "x", tmp_path / "out")
    assert [] == list((tmp_path / "out").iterdir())


def test_a_folder_that_holds_something_is_refused_unless_forced(tmp_path: Path) -> None:
    """Nobody loses files by a slip of the hand."""
    (tmp_path / "x").write_text("a@b.de")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_text("before")
    with pytest.raises(ConfigInvalid, match="is not empty"):
        copied(tmp_path / "x", tmp_path / "out")

    assert "<EMAIL_ADDRESS_1>" == copied(tmp_path / "x", tmp_path / "out", force=True).read_text()


def test_no_original_and_no_other_copy_is_overwritten(tmp_path: Path) -> None:
    """Both are said before anything is read."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("a@b.de")
    one, other = (source_of(tmp_path / folder / "x") for folder in ("a", "b"))
    object.__setattr__(other, "shown", "b/x")

    with pytest.raises(ConfigInvalid, match="would be overwritten by a copy"):
        Copies(tmp_path / "a", _placeholders, force=True).admit([one])
    with pytest.raises(ConfigInvalid, match="would have one copy"):
        Copies(tmp_path / "out", _placeholders).admit([one, other])
    assert "a@b.de" == (tmp_path / "a/x").read_text()


def test_a_link_in_the_folder_of_copies_leads_nowhere(tmp_path: Path) -> None:
    """A copy replaces a link and is not written through it; a linked folder is refused."""
    (tmp_path / "x").write_text("a@b.de")
    (tmp_path / "out").mkdir()
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "out/x").symlink_to(tmp_path / "kept")

    copy = copied(tmp_path / "x", tmp_path / "out", force=True)

    assert ("kept", "<EMAIL_ADDRESS_1>", False) == (
        (tmp_path / "kept").read_text(),
        copy.read_text(),
        copy.is_symlink(),
    )

    copies = Copies(tmp_path / "out", _placeholders, force=True)
    (tmp_path / "out/sub").symlink_to(tmp_path)
    source = source_of(tmp_path / "x")
    object.__setattr__(source, "relative", Path("sub/y"))
    document, decoder = document_of(tmp_path / "x", whole=True)
    with pytest.raises(CopyFailed, match="a link leads out"):
        copies.write(source, document, decoder.encoded)


@pytest.mark.parametrize("relative", ["../outside/y", "sub/outside/y"])
def test_no_folder_is_made_outside_that_of_copies(relative: str, tmp_path: Path) -> None:
    """Where a copy would lie is looked at before anything is made."""
    (tmp_path / "x").write_text("a@b.de")
    copies = Copies(tmp_path / "out", _placeholders)
    (tmp_path / "out/sub").symlink_to(tmp_path)
    source = source_of(tmp_path / "x")
    object.__setattr__(source, "relative", Path(relative))
    document, decoder = document_of(tmp_path / "x", whole=True)

    with pytest.raises(CopyFailed, match="leads out"):
        copies.write(source, document, decoder.encoded)
    assert not (tmp_path / "outside").exists()
