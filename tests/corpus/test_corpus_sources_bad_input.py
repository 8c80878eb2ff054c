"""Sources that are wrong, odd or unreadable."""

from __future__ import annotations

import os
import signal

import pytest
from corpus_kit import reasons, repository, rows, sources, write, zipped
from pydantic import ValidationError

from codekiln.corpus import licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import pieces, reading, stage
from codekiln.corpus.sources.listing import list_sources
from codekiln.corpus.sources.nothing import nothing_found
from codekiln.errors import UserError
from codekiln.pipeline.runner import folder_files

HELLO = "print('hello')\n"


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (lambda p: p / "nowhere", {}, "does not exist"),
        (lambda p: write(p / "e", {}) / "e", {}, "does not exist"),
        (lambda p: write(p / "b", {"a.png": b"\x89PNG\0", "b.gif": b"GIF\0"}), {}, "2 binary"),
        (lambda p: write(p / "u", {"a.py": b"\xff\xfe\x00"}), {}, "1 binary"),
        (lambda p: write(p / "g", {"a.py": HELLO}), {"revision": "HEAD"}, "not in a git repository"),
        (lambda p: repository(p / "r", {"a.py": HELLO}), {"revision": "no-such"}, "no revision 'no-such'"),
        (lambda p: repository(p / "o", {"a.py": HELLO}), {"revision": "--all"}, "no revision '--all'"),
        (lambda p: write(p / "z", {"a.zip": b"PK nonsense"}) / "a.zip", {}, "not a readable archive"),
        (
            lambda p: write(p / "l", {"a.py": HELLO}),
            {"languages": ("pyhton",)},
            "unknown language 'pyhton'; did you mean python",
        ),
    ],
)
def test_mistakes_get_one_line(tmp_path, make, settings, message):
    path = make(tmp_path)
    with pytest.raises(UserError, match=message) as raised:
        sources(tmp_path / "out", path, **settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "a source is empty"),
        (" ", "a source is empty"),
        ("~nosuchuser/x", r"source ~nosuchuser/x cannot be read \(.*home directory"),
    ],
)
def test_paths_that_a_shell_did_not_fill_in(tmp_path, path, message):
    for paths in ((path,), (str(tmp_path), path)):
        with pytest.raises(UserError, match=message):
            list_sources(SourceConfig(paths=paths))


def test_nothing_found_names_what_was_given():
    assert "the standard library" not in str(nothing_found(SourceConfig(paths=("",)), []))
    assert "the standard library" in str(nothing_found(SourceConfig(), []))
    skipped = [("b/t.parquet", "too large"), ("a.bin", "binary"), ("b/s.jsonl.gz", "too large")]
    assert (
        "(skipped: 2 too large, 1 binary); to read the rows of tables such as b/s.jsonl.gz, name them"
        in str(nothing_found(SourceConfig(paths=("x",)), skipped))
    )


def test_a_pattern_that_nobody_filled_in():
    with pytest.raises(UserError, match=r"source t/\*\.parquet does not exist; .*: leave it unquoted$"):
        list_sources(SourceConfig(paths=("t/*.parquet",)))


def test_max_file_bytes_has_an_upper_limit():
    assert SourceConfig(max_file_bytes=1024**3).max_file_bytes == 1024**3
    with pytest.raises(ValidationError, match="less than or equal to 1073741824"):
        SourceConfig(max_file_bytes=1024**3 + 1)


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="it is empty"):
        sources(tmp_path / "out", tmp_path / "empty")


def test_unreadable_files_and_folders_are_recorded(tmp_path, monkeypatch):
    folder = write(tmp_path / "x", {"a.py": HELLO, "locked.py": HELLO, "shut/b.py": HELLO})
    # root reads everything, so a path with the answer of a locked one stands in for it
    opened, scanned = os.open, os.scandir

    def open_(path, *rest, **named):
        if str(path).endswith("locked.py"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **named)

    def scandir(path="."):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scanned(path)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "scandir", scandir)
    out = sources(tmp_path, folder)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {
        "locked.py": "unreadable (Permission denied)",
        "shut/": "unreadable (Permission denied)",
    }


def test_a_huge_file_is_never_read(tmp_path):
    folder = write(tmp_path / "x", {"a.py": HELLO})
    with open(folder / "huge.py", "wb") as stream:
        stream.truncate(2 * 1024**3)
    out = sources(tmp_path, folder)
    assert reasons(out / "skipped") == {"huge.py": "too large"}
    assert rows(out / "skipped")["huge.py"]["size"] == 2 * 1024**3


def test_odd_file_names(tmp_path):
    folder = write(tmp_path / "x", {"ünï.py": HELLO, "new\nline.py": HELLO, "sp ace.py": "x = 1\n"})
    (folder / os.fsdecode(b"bad\xff.py")).write_text(HELLO)
    out = sources(tmp_path / "out", folder)
    assert set(rows(out / "files")) == {"ünï.py", "sp ace.py"}
    assert reasons(out / "skipped") == dict.fromkeys(
        ["bad\\xff.py", "new\\x0aline.py"], "path is not printable UTF-8"
    )


def test_odd_file_names_in_git(tmp_path):
    repo = repository(
        tmp_path / "g", {"ünï.py": HELLO, "new\nline.py": HELLO, os.fsdecode(b"bad\xff.py"): HELLO}
    )
    for settings in ({}, {"revision": "HEAD"}):
        out = sources(tmp_path / str(len(settings)), repo, **settings)
        assert set(rows(out / "files")) == {"ünï.py"}
        assert set(reasons(out / "skipped")) == {"bad\\xff.py", "new\\x0aline.py"}


def test_a_file_that_breaks_a_parser_costs_that_file(tmp_path, monkeypatch):
    whole = licenses.of_file

    def breaks(path, data, folders, owners=()):
        if b"poison" in data:
            raise RecursionError("maximum recursion depth exceeded")
        return whole(path, data, folders, owners)

    monkeypatch.setattr(licenses, "of_file", breaks)
    folder = write(tmp_path / "f", {"a.py": HELLO, "b.py": "print('poison')\n", "c.py": HELLO})
    out = sources(tmp_path, folder)
    assert set(rows(out / "files")) == {"a.py", "c.py"}
    assert reasons(out / "skipped") == {"b.py": "cannot be read (maximum recursion depth exceeded)"}


def test_a_file_that_kills_its_worker_costs_that_file(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "make_files", dies_on_poison)
    monkeypatch.setattr(stage, "BATCH_BYTES", 3000)
    files = {f"{name}.py": HELLO * (1 + 30 * (name == "big")) for name in ("a", "big", "c", "d")}
    folder = write(tmp_path / "f", files | {"b.py": "print('poison')\n"})
    out = sources(tmp_path, folder, workers=2)
    assert set(rows(out / "files")) == set(files)
    assert reasons(out / "skipped") == {"b.py": "a worker process died on it"}
    # A later build tries the file again, whatever else it takes over.
    monkeypatch.setattr(pieces, "make_files", _original_make_files)
    mended = sources(tmp_path / "mended", folder, earlier=out)
    assert set(rows(mended / "files")) == {*files, "b.py"}
    assert reasons(mended / "skipped") == {}
    assert folder_files(mended) == folder_files(sources(tmp_path / "scratch", folder))


def test_reasons_come_of_the_one_reading_also_after_a_kill_between_the_datasets(tmp_path, monkeypatch):
    members = [("x/a.py", HELLO.encode()), ("x/b.py", b"\0\1"), ("x/c.bin", b"\0")]
    archive = zipped(tmp_path / "x.zip", members)
    folder = write(tmp_path / "f", {"d.py": HELLO, "e.py": "", "notes": "words"})
    first = sources(tmp_path / "one", archive, folder)
    told = {"b.py": "binary", "c.bin": "binary", "e.py": "empty", "notes": "unknown language"}
    assert reasons(first / "skipped") == told
    assert not (first / "files.pieces").exists()

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pieces, "make_skipped", killed)
        with pytest.raises(KeyboardInterrupt):
            sources(tmp_path / "two", archive, folder)
    monkeypatch.setattr(pieces, "make_files", killed)  # nothing is read again
    assert folder_files(sources(tmp_path / "two", archive, folder)) == folder_files(first)


def dies_on_poison(seen_ns, shard):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "judge", deadly_judge)
        return _original_make_files(seen_ns, shard)


_original_judge, _original_make_files = reading.judge, pieces.make_files


def deadly_judge(path, data, max_file_bytes):
    if isinstance(data, bytes) and b"poison" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    return _original_judge(path, data, max_file_bytes)
