from __future__ import annotations

import io
import lzma
import os
import tarfile
import zipfile

import pytest
from corpus_kit import reasons, rows, sources, tar, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.corpus.sources import archives
from codekiln.errors import UserError

HELLO = b"print('hello')\n"
TAR_MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


@pytest.mark.parametrize("suffix", [*TAR_MODES, ".zip"])
def test_source_archives_of_every_kind(tmp_path, suffix):
    members = [
        ("pkg-1.0/src/a.py", HELLO),
        ("pkg-1.0/LICENSE", b"Apache License Version 2.0, January 2004"),
        ("pkg-1.0/data.bin", b"\0\1"),
        ("pkg-1.0/src/bin.py", b"\0\1"),
    ]
    path = tmp_path / f"pkg-1.0{suffix}"
    zipped(path, members) if suffix == ".zip" else tar(path, members, TAR_MODES[suffix])
    out = sources(tmp_path, path)
    files = rows(out / "files")
    assert list(files) == ["src/a.py"]
    row = files["src/a.py"]
    assert (row["repo"], row["licenses"], row["added_at"]) == ("pkg-1.0", ["Apache-2.0"], None)
    assert row["revision"].startswith("sha256:")
    assert row["content"].encode() == HELLO
    assert reasons(out / "skipped") == {
        "LICENSE": "unknown language", "data.bin": "binary", "src/bin.py": "binary",
    }  # fmt: skip


def test_wheels_keep_their_paths_and_take_their_own_licence(tmp_path):
    members = [
        ("pkg/a.py", HELLO),
        (
            "pkg-1.0.dist-info/METADATA",
            b"Metadata-Version: 2.4\nLicense-Expression: MIT OR Apache-2.0\n\nText",
        ),
    ]
    path = zipped(tmp_path / "pkg-1.0-py3-none-any.whl", members)
    row = rows(sources(tmp_path, path) / "files")["pkg/a.py"]
    assert (row["repo"], row["licenses"], row["license_type"]) == (
        "pkg-1.0",
        ["Apache-2.0", "MIT"],
        "permissive",
    )


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_unsafe_members_are_skipped_with_a_reason(tmp_path, kind):
    names = ["/etc/passwd.py", "../up.py", "a/../../b.py", "C:/x.py", "..\\w.py", "a\\..\\..\\w.py"]
    members = [("ok/a.py", HELLO), *((name, HELLO) for name in names)]
    if kind == "tar":
        members += [
            ("ok/link.py", (tarfile.SYMTYPE, "/etc/passwd")),
            ("ok/hard.py", (tarfile.LNKTYPE, "/etc/passwd")),
            ("ok/device.py", (tarfile.CHRTYPE, "")),
            ("ok/pipe.py", (tarfile.FIFOTYPE, "")),
        ]
        names += ["link.py", "hard.py", "device.py", "pipe.py"]
        path = tar(tmp_path / "x.tar.gz", members, "w:gz")
    else:
        path = zipped(tmp_path / "x.zip", members)
        with zipfile.ZipFile(path, "a") as bundle:
            info = zipfile.ZipInfo("ok/link.py")
            info.create_system, info.external_attr = 3, 0o120777 << 16
            bundle.writestr(info, "/etc/passwd")
        names += ["link.py"]
    out = sources(tmp_path, path)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == dict.fromkeys(names, archives.UNSAFE)


@given(st.text(alphabet=st.sampled_from(list("ab./\\:C\0~ é")), max_size=20))
def test_a_safe_path_stays_inside_any_folder(name):
    path = archives.safe_path(name)
    if path is not None:
        root = "/some/root"
        assert os.path.normpath(os.path.join(root, path)).startswith(root + "/")
        assert not path.startswith("/")
        assert ".." not in path.replace("\\", "/").split("/")
        assert archives.safe_path(path) == path


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(alphabet=st.sampled_from(list("ab./")), min_size=1, max_size=12), min_size=1, max_size=6)
)
def test_any_names_in_a_tar_give_safe_distinct_paths(tmp_path_factory, names):
    path = tar(tmp_path_factory.mktemp("t") / "x.tar", [(name, b"x") for name in names])
    members, refused, _ = archives.listing(str(path), lambda member: 0)
    paths = [member.path for member in members]
    assert len(set(paths)) == len(paths)
    assert all(archives.safe_path(member) == member for member in paths)
    assert len(members) + len(refused) <= len(names)


def test_the_last_member_of_a_name_wins(tmp_path):
    path = tar(tmp_path / "x.tar", [("d/a.py", b"old = 1\n"), ("d/./a.py", b"new = 1\n"), ("d/b.py", HELLO)])
    assert rows(sources(tmp_path, path) / "files")["a.py"]["content"] == "new = 1\n"


def test_a_bomb_is_refused_before_it_fills_memory(tmp_path):
    path = tmp_path / "bomb.tar.xz"
    with lzma.open(path, "wb") as raw, tarfile.open(fileobj=raw, mode="w|") as bundle:
        for number in range(20):
            info = tarfile.TarInfo(f"{number}.py")
            info.size = 1 << 20
            bundle.addfile(info, io.BytesIO(b"\0" * (1 << 20)))
    with pytest.raises(UserError, match="unpacks to more than"):
        archives.listing(str(path), lambda member: 0, max_total=5 << 20)
    zipped(tmp_path / "bomb.zip", [(f"{n}.py", b"\0" * (1 << 20)) for n in range(10)])
    with pytest.raises(UserError, match="unpacks to more than"):
        archives.listing(str(tmp_path / "bomb.zip"), lambda member: 0, max_total=5 << 20)
    read = archives.contents(str(tmp_path / "bomb.zip"), dict.fromkeys(range(10), 1 << 20), max_total=5 << 20)
    assert [isinstance(data, bytes) for _, data in read] == [True] * 5 + [False] * 5


def test_a_damaged_member_of_a_zip_costs_itself(tmp_path):
    members = [(f"{name}.py", f"# {name}\n".encode() + HELLO * 9) for name in "abc"]
    zipped(tmp_path / "x.zip", members)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    start = data.index(b"b.py") + 4
    data[start : start + 12] = bytes(12)
    (tmp_path / "x.zip").write_bytes(data)
    out = sources(tmp_path, tmp_path / "x.zip")
    assert set(rows(out / "files")) == {"a.py", "c.py"}
    assert reasons(out / "skipped")["b.py"].startswith("cannot be read (")


def test_a_member_is_never_read_beyond_the_limit(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a.py", HELLO), ("big.py", b"x" * 100_000)])
    # the archive lies about the size of the big one, in both of its headers
    data = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    said = ""
    try:
        found = rows(sources(tmp_path, path, max_file_bytes=1000) / "files")
    except UserError as error:
        found, said = {}, str(error)
    assert "not a readable archive" in said or found
    assert all(row["size"] <= 1000 for row in found.values())


def test_an_extension_header_that_claims_gigabytes_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 4096)
    with pytest.raises(UserError, match="not a readable archive"):
        sources(tmp_path, path)


@pytest.mark.parametrize("suffix", [*TAR_MODES, ".zip", ".whl"])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_corrupt_archives_get_one_line(tmp_path, suffix, damage):
    path = tmp_path / f"x{suffix}"
    body = os.urandom(3000).hex().encode()
    members = [(f"d/{n}.py", HELLO + body) for n in range(20)]
    zipped(path, members) if suffix in (".zip", ".whl") else tar(path, members, TAR_MODES[suffix])
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2 + 7], "noise": b"noise" * 50, "empty": b""}[damage])
    with pytest.raises(UserError) as raised:
        sources(tmp_path, path)
    assert "\n" not in str(raised.value)
    assert path.name in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_never_give_a_traceback(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("flip")
    suffix = data.draw(st.sampled_from([".zip", ".tar.gz", ".tar", ".tar.xz", ".tar.bz2"]))
    members = [("d/a.py", HELLO * 20), ("d/b.py", b"b = 1\n" * 30)]
    path = folder / f"x{suffix}"
    zipped(path, members) if suffix == ".zip" else tar(path, members, TAR_MODES[suffix])
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    said, found = "", []
    try:
        members, _, _ = archives.listing(str(path), lambda member: 0)
        found = list(archives.contents(str(path), {member.number: 1000 for member in members}))
    except UserError as error:
        said = str(error)
    assert "\n" not in said
    assert all(len(content) <= 1000 for _, content in found)
