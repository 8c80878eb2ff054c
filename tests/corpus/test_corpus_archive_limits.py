"""What an archive may make us hold, and members that share a path."""

from __future__ import annotations

import tarfile
import tracemalloc

import pytest
from corpus_kit import reasons, rows, sources, tar, zipped

from codekiln.corpus import licenses
from codekiln.corpus.licenses import folders
from codekiln.corpus.sources import archives
from codekiln.errors import UserError

HELLO = b"print('hello')\n"
APACHE = b"Apache License Version 2.0, January 2004\n"
LIMIT = 512 * 1024


def keep(path):
    return LIMIT if licenses.is_license_file(path) else 0


@pytest.mark.parametrize("equal", [True, False])
def test_many_large_licence_texts_stay_within_the_limit(tmp_path, equal):
    texts = [APACHE + (b"" if equal else b"%d" % n) + b" " * (LIMIT - 100) for n in range(120)]
    path = zipped(tmp_path / "x.zip", [(f"d{n}/LICENSE", text) for n, text in enumerate(texts)])
    licenses.recognise("")  # the table of known texts is there for good
    tracemalloc.start()
    members, _, found = archives.listing(str(path), keep)
    verdicts = licenses.resolve_folders(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(members) == len(verdicts) == 120
    assert peak < (8 if equal else 48) * 1024**2
    kinds = [verdicts[f"d{n}"].license_type for n in range(120)]
    # one that was not looked at never counts as permissive, nor does the licence above it speak for its folder
    assert kinds == ["permissive"] * (120 if equal else 64) + ["non_permissive"] * (0 if equal else 56)


def test_the_total_that_is_unpacked_for_licences_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_TEXT_READ", 5 * len(APACHE))
    path = zipped(tmp_path / "x.zip", [(f"d{n}/LICENSE", APACHE) for n in range(8)])
    _, _, found = archives.listing(str(path), keep)
    assert [found[f"d{n}/LICENSE"] for n in range(8)] == [APACHE] * 5 + [b""] * 3


def test_a_licence_text_that_is_too_long_is_not_overruled_by_the_one_above(tmp_path):
    members = [("p/LICENSE", APACHE), ("p/inner/LICENSE", b"x" * (LIMIT + 1)), ("p/inner/a.py", HELLO)]
    row = rows(sources(tmp_path, zipped(tmp_path / "x.zip", members)) / "files")["inner/a.py"]
    assert row["license_type"] == "non_permissive"


def test_verdicts_are_the_same_from_pairs_and_in_any_order():
    texts = {
        "b/COPYING": APACHE,
        "b/LICENSE": b"Mozilla Public License 2.0",
        "package.json": b'{"license": "MIT"}',
    }
    expected = licenses.resolve_folders(texts)
    assert licenses.resolve_folders(iter(reversed(texts.items()))) == expected
    assert expected["b"].evidence == "b/COPYING: Apache-2.0 (named); b/LICENSE: MPL-2.0 (named)"


def test_equal_texts_are_judged_once(monkeypatch):
    calls = []
    monkeypatch.setattr(folders, "identify", lambda data: calls.append(data) or licenses.Identified(("MIT",)))
    licenses.resolve_folders((f"d{n}/LICENSE", b"same") for n in range(50))
    assert calls == [b"same"]


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_repeated_path_is_there_once(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    members = [("p/a.py", b"old = 1\n"), ("p/b.py", HELLO)]
    if suffix == ".tar":
        tar(path, members)
        tar(path, [("p/a.py", b"new = 1\n")], "a")
    else:
        with pytest.warns(UserWarning, match="Duplicate"):
            zipped(path, [*members, ("p/a.py", b"new = 1\n")])
    out = sources(tmp_path, path)
    files = rows(out / "files")
    assert {name: row["content"].encode() for name, row in files.items()} == {
        "a.py": b"new = 1\n",
        "b.py": HELLO,
    }
    assert reasons(out / "skipped") == {}


def test_the_last_member_of_a_path_decides_what_it_is(tmp_path):
    link = (tarfile.SYMTYPE, "/etc/passwd")
    path = tar(
        tmp_path / "x.tar",
        [("p/a.py", HELLO), ("p/a.py", link), ("p/b.py", link), ("p/b.py", HELLO), ("../c.py", HELLO), ("../c.py", HELLO),
         ("p/LICENSE", APACHE), ("p/LICENSE", link)],
    )  # fmt: skip
    members, refused, texts = archives.listing(str(path), keep)
    assert [member.path for member in members] == ["p/b.py"]
    assert sorted((member.path, member.reason) for member in refused) == [
        ("../c.py", archives.UNSAFE), ("p/LICENSE", archives.UNSAFE), ("p/a.py", archives.UNSAFE),
    ]  # fmt: skip
    assert texts == {}


def test_a_chain_of_long_name_headers_gets_one_line(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    header = info.tobuf(tarfile.GNU_FORMAT) + b"a\0".ljust(512, b"\0")
    path = tmp_path / "x.tar"
    path.write_bytes(header * 1500 + bytes(1024))
    with pytest.raises(UserError, match="not a readable archive") as raised:
        sources(tmp_path, path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["header", "pax", "sparse"])
def test_a_member_that_claims_exabytes_does_not_hang(tmp_path, kind):
    info = tarfile.TarInfo("p/a.py")
    path = tmp_path / "x.tar"
    if kind == "header":
        info.size = 2**70
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    elif kind == "pax":
        info.pax_headers = {"size": str(2**70)}
        path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(4096))
    else:
        info.type = tarfile.GNUTYPE_SPARSE
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        block[483:495] = bytes([0x80]) + (2**80).to_bytes(11, "big")
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block[:512])
        path.write_bytes(block + bytes(4096))
    said = ""
    try:
        members, _, _ = archives.listing(str(path), keep)
        assert all(0 <= member.size < 2**63 for member in members)
        found = list(archives.contents(str(path), {member.number: 1000 for member in members}))
        assert all(len(data) <= 1000 for _, data in found)
    except UserError as error:
        said = str(error)
    assert "\n" not in said


def test_a_huge_limit_is_read_in_pieces(tmp_path):
    for path in (zipped(tmp_path / "x.zip", [("a.py", HELLO)]), tar(tmp_path / "x.tar", [("a.py", HELLO)])):
        assert list(archives.contents(str(path), {0: 10**23})) == [(0, HELLO)]
