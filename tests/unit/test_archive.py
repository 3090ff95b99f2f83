"""Archives and OCI layouts: what is written is read again, and whatever is not plain is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigInvalid
from governance.policy.bundle import load_bundle
from governance.policy.distribution import archive
from governance.policy.distribution.archive import pack, read_tree, unpack
from tests.bundles import policy, write

FILES = {"policies/p/policy.rego": policy("p").encode(), "data.json": b'{"a": 1}', ".manifest": b'{"revision": "7"}'}
names = st.lists(st.text("abcé.-_ ", min_size=1, max_size=60).filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)  # fmt: skip


def member(name: str, content: bytes = b"x", **fields: object) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        for key, value in fields.items():
            setattr(entry, key, value)
        tar.addfile(entry, io.BytesIO(content))

    return add


def tar_of(*members: Callable[[tarfile.TarFile], None], kind: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as tar:
        for add in members:
            add(tar)
    return gzip.compress(raw.getvalue(), mtime=0)


def refusal(raw: bytes) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        unpack(raw, place="b.tar.gz")
    return str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=1500), max_size=6))
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    """Every set of files comes back as it was, and the order in which it was given leaves no trace."""
    if any(other.startswith(f"{name}/") for name in files for other in files):
        return

    raw = pack(files)

    assert (files, raw) == (dict(unpack(raw, place="b")), pack(dict(reversed(list(files.items())))))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=700), min_size=1, max_size=4))
def test_what_is_packed_is_a_tar_for_everybody(files: dict[str, bytes]) -> None:
    """Another reader of tar finds the same files."""
    if any(other.startswith(f"{name}/") for name in files for other in files):
        return
    with tarfile.open(fileobj=io.BytesIO(pack(files)), mode="r:gz") as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]

    assert files == found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=1600), st.booleans())
def test_any_bytes_are_read_or_refused(raw: bytes, packed: bool) -> None:
    """Garbage, alone or inside gzip, ends in our error or in files; never in another one."""
    try:
        unpack(gzip.compress(raw) if packed else raw, place="b")
    except ConfigInvalid:
        return


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2047), st.integers(0, 255))
def test_a_changed_header_is_read_or_refused(at: int, value: int) -> None:
    """One changed byte of a good archive ends in our error, or in files."""
    tar = bytearray(gzip.decompress(pack(FILES)))
    tar[at] = value
    try:
        unpack(gzip.compress(bytes(tar)), place="b")
    except ConfigInvalid:
        return


def test_names_as_tools_write_them_are_read() -> None:
    """OPA writes `/data.json`, `tar .` writes `./data.json`; directories are no files."""
    raw = tar_of(
        member("/data.json"),
        member("./p.rego"),
        member(".", b"", type=tarfile.DIRTYPE),
        member("policies/", b"", type=tarfile.DIRTYPE),
        member("policies/" + "é" * 60 + ".rego"),
    )

    assert ["data.json", "p.rego", "policies/" + "é" * 60 + ".rego"] == list(unpack(raw, place="b"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "the archive is cut off"),
        (b"PK\3\4", "not a gzip archive"),
        (pack(FILES)[:-9], "the archive is cut off"),
        (pack(FILES) + b"x", "bytes follow the archive"),
        (pack(FILES) + pack(FILES), "bytes follow the archive"),
        (gzip.compress(gzip.decompress(pack(FILES)) + b"x"), "bytes follow the end of the archive"),
        (gzip.compress(gzip.decompress(pack(FILES))[:-1024]), "the archive is cut off"),
        (gzip.compress(b"\1" * 1024), "a header of the archive is damaged"),
        (tar_of(member("../x")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a/../../x")), "a name in the archive is not a plain relative path"),
        (tar_of(member("//etc/passwd")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a//b")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a\\..\\b")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a\nb")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a/" * 16 + "b")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a\u202eb.rego")), "a name in the archive is not a plain relative path"),
        (tar_of(member("a\udcffb"), kind=tarfile.USTAR_FORMAT), "a name in the archive is not UTF-8"),
        (tar_of(member("a"), member("a")), "a file occurs twice in the archive"),
        (tar_of(member("a"), member("/a")), "a file occurs twice in the archive"),
        (tar_of(member("a"), member("a/b")), "a name is both a file and a directory in the archive"),
        (tar_of(member("a", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "the archive holds something that is not a plain file"),
        (tar_of(member("a", b"", type=tarfile.LNKTYPE, linkname="b")), "the archive holds something that is not a plain file"),
        (tar_of(member("a", b"", type=tarfile.CHRTYPE)), "the archive holds something that is not a plain file"),
        (tar_of(member("a", b"", type=tarfile.FIFOTYPE)), "the archive holds something that is not a plain file"),
        (tar_of(member("a", b"", type=tarfile.CONTTYPE)), "the archive holds something that is not a plain file"),
        (tar_of(member("n" * 120), kind=tarfile.GNU_FORMAT), "the archive holds something that is not a plain file"),
        (tar_of(member("a", pax_headers={"GNU.sparse.major": "1"})), "a header of the archive holds something that is not a name"),
        (tar_of(member("a", pax_headers={"comment": "c" * 5000})), "a header of the archive is too long"),
        (tar_of(member("b.rego", b"#" * (4 << 20) + b"#")), "larger than 4194304 bytes"),
        (tar_of(*(member(f"f{n}", b"") for n in range(4097))), "more than 4096 files"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused(raw: bytes, expected: str) -> None:
    """Each way to say two things in one archive, or to reach beyond it, is an error that names the archive."""
    assert expected == refusal(raw).removeprefix("b.tar.gz").partition(": ")[2]


def test_a_bomb_is_refused() -> None:
    """A small archive that unpacks to more than the limit is refused without unpacking all of it."""
    raw = gzip.compress(bytes(128 << 20))

    assert (len(raw) < 1 << 18, "b.tar.gz: unpacks to more than 67108864 bytes") == (True, refusal(raw))


def test_a_large_archive_is_refused() -> None:
    """Beyond the limit not a byte is unpacked."""
    assert "b.tar.gz: larger than 16777216 bytes" == refusal(bytes((16 << 20) + 1))


def test_a_name_that_cannot_be_read_is_not_written() -> None:
    """The writer refuses what the reader would."""
    with pytest.raises(ConfigInvalid, match="not a plain relative path"):
        pack({"../x": b""})


def test_an_archive_is_a_bundle_like_its_directory(tmp_path: Path) -> None:
    """A bundle is what its files say, in an archive as in a directory."""
    directory = write(tmp_path / "d", {name: raw.decode() for name, raw in FILES.items()})
    packed = tmp_path / "b.tar.gz"
    packed.write_bytes(pack(FILES))

    first, second = load_bundle([directory]), load_bundle([packed])

    assert (first.digest, first.data_digest, first.revision, [packed / "policies/p/policy.rego"]) == (
        second.digest,
        second.data_digest,
        second.revision,
        [Path(one.file) for one in second.policies],
    )


def test_a_file_that_is_no_source_is_refused(tmp_path: Path) -> None:
    """Neither a directory nor an archive."""
    (tmp_path / "b.zip").write_bytes(b"")

    with pytest.raises(ConfigInvalid, match="policy directory not found"):
        load_bundle([tmp_path / "b.zip"])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe in a directory of policies is refused; reading it would never end."""
    os.mkfifo(tmp_path / "p.tar.gz")

    with pytest.raises(ConfigInvalid, match="not a regular file"):
        read_tree(tmp_path / "p.tar.gz")


def test_links_of_a_whole_directory_are_refused(tmp_path: Path) -> None:
    """A link leads out of what a signature covers."""
    (tmp_path / "p.rego").symlink_to("/etc/hostname")

    with pytest.raises(ConfigInvalid, match="a signed bundle holds no links"):
        read_tree(tmp_path)


# --- OCI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"caf\xe9.rego", b"caf\xe9/p.rego"])
def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path, name: bytes) -> None:
    """Whether all of a directory is read or what makes up a bundle; the message has no byte of it that is no text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_text(policy("p"))

    with pytest.raises(ConfigInvalid) as of_bundle:
        load_bundle([tmp_path])
    with pytest.raises(ConfigInvalid) as of_all:
        read_tree(tmp_path)

    place = name.decode("ascii", "replace").replace("\ufffd", "?")
    assert (
        f"{tmp_path}/{place}: the name is not UTF-8",
        f"{tmp_path}: a name in the archive is not a plain relative path",
    ) == (str(of_bundle.value), str(of_all.value))


def test_a_name_beside_a_bundle_may_be_anything(tmp_path: Path) -> None:
    """What makes up no bundle is not looked at."""
    write(tmp_path, {"p.rego": policy("p")})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).touch()

    assert ["p"] == [one.id for one in load_bundle([tmp_path]).policies]


def layout(top: Path, *, layer: bytes | None = None, **changes: object) -> Path:
    content = pack(FILES)
    blobs = top / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(raw: bytes, media_type: object, stored: bytes | None = None) -> dict[str, object]:
        digest = hashlib.sha256(raw).hexdigest()
        (blobs / digest).write_bytes(raw if stored is None else stored)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}

    rows = [blob(content, changes.get("layer_type", "application/vnd.oci.image.layer.v1.tar+gzip"), layer)]
    rows[0] |= changes.get("row", {})  # type: ignore[operator]
    image = {"schemaVersion": 2, "config": {}, "layers": rows * int(str(changes.get("layers", 1)))}
    index = [blob(json.dumps(image).encode(), "application/vnd.oci.image.manifest.v1+json")]
    (top / "index.json").write_text(json.dumps({"manifests": index * int(str(changes.get("manifests", 1)))}))
    (top / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return top


def test_an_oci_layout_is_a_bundle(tmp_path: Path) -> None:
    """The layer of the one image is the bundle."""
    assert FILES == dict(read_tree(layout(tmp_path)).files)
    assert "7" == load_bundle([tmp_path]).revision


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layer": b"x"}, "the content is not what its descriptor says"),
        ({"row": {"size": 1}}, "the content is not what its descriptor says"),
        ({"row": {"digest": "sha256:../../x"}}, "a digest is `sha256:` and 64 hexadecimal digits"),
        ({"row": {"digest": "md5:1"}}, "a digest is `sha256:` and 64 hexadecimal digits"),
        ({"layers": 2}, "an image holds one layer of the type application/vnd.oci.image.layer.v1.tar+gzip"),
        ({"layer_type": "x"}, "an image holds one layer of the type application/vnd.oci.image.layer.v1.tar+gzip"),
        ({"manifests": 2}, "an OCI layout holds one image manifest"),
    ],
)
def test_an_oci_layout_that_is_not_what_it_says_is_refused(
    tmp_path: Path, changes: dict[str, object], expected: str
) -> None:
    """Digest and size of every blob hold, and there is one bundle in it."""
    with pytest.raises(ConfigInvalid) as caught:
        archive.read_layout(layout(tmp_path, **changes))  # type: ignore[arg-type]

    assert expected == str(caught.value).partition(": ")[2]
