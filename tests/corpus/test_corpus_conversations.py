"""Issues and pull requests out of GitHub's events: each rule, the text they become, and broken files."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import program, repository, write
from hypothesis import given, settings
from hypothesis import strategies as st
from test_corpus_commits import change

from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.corpus.sources import events
from codekiln.corpus.sources.conversations import Said, conversation_text, without_mail, without_middle
from codekiln.corpus.sources.stage import build_sources
from codekiln.errors import UserError
from codekiln.shards import Dataset, LocalExecutor

WORDS = "The list of orders is read twice when the shop opens, and the second time it is empty. "
LONG = WORDS * 3
HUNK = "@@ -1,3 +1,3 @@\n def open():\n-    return read()\n+    return read() or []"

_counter = [0]


def event(kind: str, number: int, actor: str, repo: str = "ada/shop", **payload: Any) -> dict[str, Any]:
    _counter[0] += 1
    return {
        "id": str(_counter[0]), "type": kind, "actor": {"login": actor}, "repo": {"id": 1, "name": repo},
        "payload": payload, "public": True, "created_at": f"2023-01-01T00:{_counter[0] // 60 % 60:02d}:{_counter[0] % 60:02d}Z",
    }  # fmt: skip


def issue(
    number: int, actor: str = "ada", title: str = "Orders are lost", body: str | None = LONG, **more: Any
) -> Any:
    about = {"number": number, "title": title, "body": body, "user": {"login": actor, "type": "User"}}
    return event("IssuesEvent", number, actor, action=more.pop("action", "opened"), issue=about | more)


def comment(
    number: int,
    actor: str,
    body: str,
    author: str = "ada",
    title: str = "Orders are lost",
    text: str = LONG,
    **more: Any,
) -> Any:
    about = {"number": number, "title": title, "body": text, "user": {"login": author}} | more
    said = {"body": body, "user": {"login": actor, "type": "Bot" if actor == "helper" else "User"}}
    return event("IssueCommentEvent", number, actor, action="created", issue=about, comment=said)


def pull(number: int, actor: str = "ada", action: str = "opened", **more: Any) -> Any:
    about = {
        "number": number, "title": "Read the orders once", "body": LONG, "user": {"login": "ada"}, "merged": False,
        "base": {"ref": "main", "repo": {"license": {"spdx_id": "MIT"}}},
    }  # fmt: skip
    return event("PullRequestEvent", number, actor, action=action, pull_request=about | more)


def review(number: int, actor: str, body: str, hunk: str | None = HUNK, state: str = "") -> Any:
    about = {"number": number, "title": "Read the orders once", "body": LONG, "user": {"login": "ada"}}
    user = {"login": actor}
    if state:
        said = {"body": body, "state": state, "user": user}
        return event(
            "PullRequestReviewEvent", number, actor, action="created", pull_request=about, review=said
        )
    said = {"body": body, "path": "shop.py", "diff_hunk": hunk, "user": user}
    return event(
        "PullRequestReviewCommentEvent", number, actor, action="created", pull_request=about, comment=said
    )


def packed(path: Path, lines: list[Any]) -> Path:
    data = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)
    path.write_bytes(gzip.compress(data, 1) if path.name.endswith(".gz") else data)
    return path


def read(
    tmp_path: Path, *paths: Path, workers: int = 1, **settings: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """(rows by path, reasons by path) of a build of sources; the repository is left out of the paths."""
    out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
    config = SourceConfig(paths=tuple(map(str, paths)), **settings)
    build_sources(out, config, seed=0, executor=LocalExecutor(workers))
    assert sorted(path.name for path in out.iterdir()) == ["files", "pieces.json", "skipped"]
    rows = {row["path"]: row for row in Dataset.open(out / "files").rows()}
    return rows, {row["path"]: row["reason"] for row in Dataset.open(out / "skipped").rows()}


def test_rules_of_issues(tmp_path: Path) -> None:
    lines = [
        issue(1), comment(1, "bob", "I see it too, @ada; ask bob.smith@engine.org or @carol."), issue(1, action="closed"),
        issue(2, body="Too little text."), comment(2, "bob", "Yes.", text="Too little text."),
        issue(3, body="word " * 2_000),
        issue(4), *[comment(4, "ada", f"And again, for the {n}th time.") for n in range(11)],
        issue(5, actor="renovate[bot]"), comment(5, "bob", LONG, author="renovate[bot]"),
        issue(6, title=""), comment(7, "bob", LONG, author="eve"),
        issue(8, body="\n".join(f"line {n} of the log" for n in range(200))), comment(8, "bob", "Thank you for the log.", text="\n".join(f"line {n} of the log" for n in range(200))),
        comment(9, "helper", LONG), comment(9, "bob", LONG, author="eve"),
        event("PushEvent", 1, "ada", commits=[]), event("WatchEvent", 1, "ada"),
    ]  # fmt: skip
    rows, skipped = read(tmp_path, packed(tmp_path / "2023-01-01-0.json.gz", lines))
    assert skipped == {
        "issues/2": "issue: too short",
        "issues/3": "issue: long, of too few people",
        "issues/4": "issue: many events of too few people",
        "issues/5": "issue: opened by a bot",
        "issues/6": "issue: no title",
    }
    assert set(rows) == {"issues/1", "issues/7", "issues/8", "issues/9"}
    row = rows["issues/1"]
    assert (row["repo"], row["kind"], row["language"]) == ("ada/shop", "issue", "markdown")
    assert (row["license_type"], row["size"]) == ("no_license", len(row["content"].encode()))
    assert row["added_at"] // 86_400 == 19_358  # 2023-01-01
    assert row["content"] == (
        f"# Orders are lost\n\nusername_0:\n\n{LONG.strip()}\n\n"
        "username_1:\n\nI see it too, @username_0; ask REDACTED_EMAIL or @carol.\n\nusername_0 closed the issue.\n"
    )
    assert rows["issues/7"]["content"].startswith(
        "# Orders are lost\n\nusername_0:\n"
    )  # told by a comment alone
    log = rows["issues/8"]["content"]
    assert "line 59 of" in log
    assert "line 60 of" not in log
    assert "[…]" in log
    assert "line 180 of" in log
    assert rows["issues/9"]["content"].count(WORDS.strip()) > 1
    assert "username_2" not in rows["issues/9"]["content"]


def test_rules_of_pull_requests(tmp_path: Path) -> None:
    def good(number: int, **more: Any) -> list[Any]:
        return [
            pull(number, **more),
            review(number, "bob", "Why not raise here?"),
            pull(number, "bob", "closed", merged=True, **more),
        ]

    lines = [
        *good(1), review(1, "eve", "Nice."), comment(1, "eve", "Short one.", title="Read the orders once", pull_request={}),
        comment(1, "eve", "This is a longer remark on it.", title="Read the orders once", pull_request={"url": "x"}),
        *good(2, title="Orders"), *good(3, title="Bump the dependencies of it"), *good(4, body="Why not."),
        pull(5), review(5, "bob", "Why not raise here?"), pull(5, "bob", "closed"),
        pull(6), pull(6, "bob", "closed", merged=True),
        pull(7), *good(7, base={"ref": "other"}),
        review(8, "bob", "Fine with me, thanks."), pull(8, user={"login": "dependabot[bot]"}),
        pull(9), review(9, "jenkins", "Built it."), pull(9, "bob", "closed", merged=True),
        pull(10), review(10, "bob", "Well done, I take it.", state="APPROVED"), review(10, "bob", "Only this line."),
        *good(11), review(11, "bob", "See below.", hunk="x" * 10_001),
        *good(12, body="word\n" * 100),
        *good(13, base={"ref": "main", "repo": {"license": {"spdx_id": "GPL-3.0"}}}),
    ]  # fmt: skip
    rows, skipped = read(tmp_path, packed(tmp_path / "hour.json", lines))
    assert skipped == {
        "pull/2": "pull request: title too short",
        "pull/3": "pull request: title of dependencies or a release",
        "pull/4": "pull request: description too short",
        "pull/5": "pull request: neither merged nor approved",
        "pull/6": "pull request: no diff",
        "pull/7": "pull request: base changed",
        "pull/8": "pull request: opened by a bot",
        "pull/9": "pull request: comments by bots alone",
    }
    row = rows["pull/1"]
    assert (row["kind"], row["license_type"], row["licenses"]) == ("pull_request", "permissive", ["MIT"])
    assert row["content"] == (
        f"# Read the orders once\n\nusername_0:\n\n{LONG.strip()}\n\n"
        f"username_1 on shop.py:\n\n```diff\n{HUNK}\n```\n\nWhy not raise here?\n\nusername_1 merged the pull request.\n\n"
        "username_2:\n\nNice.\n\nusername_2:\n\nThis is a longer remark on it.\n"
    )
    assert "x" * 100 not in rows["pull/11"]["content"]
    assert "See below." in rows["pull/11"]["content"]
    assert rows["pull/12"]["content"].count("word") == 80
    assert rows["pull/13"]["license_type"] == "non_permissive"
    rows, skipped = read(
        tmp_path, tmp_path / "hour.json", limits={"pull_request_hunks_least": 0}, kinds=("pull_requests",)
    )
    assert "pull/6" in rows
    with pytest.raises(UserError, match="kind not selected"):
        read(tmp_path, tmp_path / "hour.json", kinds=("issues",))


def test_events_that_came_twice_or_out_of_order_and_other_repositories(tmp_path: Path) -> None:
    first, second = issue(1), comment(1, "bob", "I have seen this too.")
    other = issue(1) | {"repo": {"name": "bob/shop"}}
    one, _ = read(tmp_path, packed(tmp_path / "a.json.gz", [first, second, other]))
    out = tmp_path / "twice"
    build_sources(
        out,
        SourceConfig(paths=(str(packed(tmp_path / "b.json.gz", [second, first, second, other])), str(tmp_path / "a.json.gz"))),
        seed=0, executor=None,
    )  # fmt: skip
    found = {(row["repo"], row["path"]): row["content"] for row in Dataset.open(out / "files").rows()}
    assert set(found) == {("ada/shop", "issues/1"), ("bob/shop", "issues/1")}
    assert (
        found["bob/shop", "issues/1"] == one["issues/1"]["content"]
        or found["ada/shop", "issues/1"] == one["issues/1"]["content"]
    )
    assert found["ada/shop", "issues/1"].count("I have seen this too.") == 1


def test_opt_out_and_too_many_events(tmp_path: Path) -> None:
    lines = [
        issue(1),
        comment(1, "bob", "Me too, for a week now."),
        issue(2) | {"repo": {"name": "eve/shop"}},
    ]
    refused = write(tmp_path, {"refused": "ADA/shop\n"}) / "refused"
    path = packed(tmp_path / "a.json.gz", lines)
    rows, skipped = read(tmp_path, path, opt_out=str(refused))
    assert (set(rows), skipped) == ({"issues/2"}, {"issues/1": "opted out (ADA/shop)"})
    rows, skipped = read(tmp_path, path, limits={"conversation_events_most": 1})
    assert skipped == {"issues/1": "issue: too many events"}


def test_broken_files_cost_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LINE", 20_000)
    broken = [
        b"{not json", b"[1]", b"\xff\xfe", b"",
        b'{"type": "IssuesEvent"}', json.dumps(issue(0)).encode(), json.dumps(issue(3) | {"repo": {"name": "../x"}}).encode(),
        json.dumps(issue(4) | {"payload": []}).encode(), b'{"type": 5}', b"[" * 19_000, b'"' + b"a" * 60_000 + b'"',
    ]  # fmt: skip
    path = packed(tmp_path / "a.json.gz", [issue(1), *broken, issue(2)])
    rows, skipped = read(tmp_path, path)
    assert set(rows) == {"issues/1", "issues/2"}
    counted = sorted(skipped.values())
    assert counted.count("events: not valid JSON") == 4
    assert counted.count("events: without repository, number or text") == 5
    assert counted.count("events: a line too long") == 1
    data = path.read_bytes()
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(data[: len(data) * 9 // 10])
    rows, skipped = read(tmp_path, cut)
    assert "issues/1" in rows
    assert "events: the file is damaged or ends early" in skipped.values()
    flipped = bytearray(gzip.compress(b"".join(json.dumps(issue(n)).encode() + b"\n" for n in range(1, 400))))
    flipped[len(flipped) // 2] ^= 255
    (tmp_path / "flipped.json.gz").write_bytes(flipped)
    rows, skipped = read(tmp_path, tmp_path / "flipped.json.gz")
    assert rows
    assert "events: the file is damaged or ends early" in skipped.values()
    with pytest.raises(UserError, match="not valid JSON"):
        read(tmp_path, packed(tmp_path / "none.json.gz", [b"{not json"]))


@pytest.mark.parametrize("suffix", ["json.gz", "jsonl"])
def test_slices_hold_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    lines = [issue(n, body="x" * (n * 37 % 900)) for n in range(1, 60)] + [b"", b"a" * 5_000]
    path = packed(tmp_path / f"a.{suffix}", lines)
    whole = [place for place, _ in events._lines(events.find(path, "a").slices[0])]
    assert len(whole) == 60
    monkeypatch.setattr(events, "MAX_LINE", 1_200)
    for size in (1, 100, 1_000, 7_777):
        monkeypatch.setattr(events, "SLICE_BYTES", size)
        monkeypatch.setattr(events, "PACKED_SLICE_BYTES", size)
        slices = events.find(path, "a").slices
        if size > 1 or suffix == "jsonl":
            some = slices if size > 1 else slices[:3_000]
            places = [place for part in some for place, _ in events._lines(part)]
            assert places == [place for place in whole if place < some[-1].end]


def test_files_commits_and_conversations_in_one_corpus(tmp_path: Path) -> None:
    """All kinds pass every stage, and the shards are the same with one worker and two."""
    folder = repository(tmp_path / "shop", {f"f{n}.py": program(n) for n in range(12)})
    change(folder, {"f1.py": program(1) + "\n\nVALUE = 1\n"})
    lines = [
        line
        for n in range(1, 30)
        for line in (
            issue(n, body=program(100 + n, 2)),
            comment(n, "bob", program(200 + n, 2), text=program(100 + n, 2)),
        )
    ]
    lines += [
        pull(50),
        review(50, "bob", "Why not raise here?", hunk="@@\n+" + program(300)),
        pull(50, "bob", "closed", merged=True),
    ]
    lines += [
        pull(51),
        review(51, "bob", "Why not raise here?", hunk="@@\n+" + program(301)),
        pull(51, "bob", "closed", merged=True),
    ]
    path = packed(tmp_path / "hour.json.gz", lines)
    hashes = set()
    for workers in (1, 2):
        out = tmp_path / f"w{workers}"
        config = SourceConfig(
            paths=(str(folder), str(path)), kinds=("files", "commits", "issues", "pull_requests")
        )
        build_sources(out / "sources", config, seed=0, executor=LocalExecutor(workers))
        build_corpus(out / "corpus", out / "sources", CorpusConfig(), seed=0, executor=None)
        names = ("sources/files", "sources/skipped", "corpus/decisions", "corpus/train")
        hashes.add(tuple(Dataset.open(out / name).content_hash for name in names))
    assert len(hashes) == 1
    train = {row["kind"] for row in Dataset.open(out / "corpus" / "train").rows()}
    assert train == {"file", "commit", "issue", "pull_request"}
    assert {row["kind"] for row in Dataset.open(out / "corpus" / "heldout").rows()} == {"file"}


def test_words_around_a_mail() -> None:
    mail = (
        "I think so.\n\nOn Mon, Jan 2, 2023 at 1:00 AM Ada <notifications@github.com> wrote:\n\n> The list is\n> empty.\n>\n"
        "> —\n> Reply to this email directly, view it on GitHub\n> <https://github.com/x>.\n\n________________________________\nThanks"
    )
    assert without_mail(mail) == "I think so.\n\nThanks"
    assert without_mail("> quoted by hand\r\n\r\nand answered  ") == "> quoted by hand\n\nand answered"


def test_the_middle_of_a_text() -> None:
    text = "\n".join(map(str, range(100)))
    cut = without_middle(text, 80, 20).split("\n")
    assert cut[59:62] == ["59", "[…]", "80"]
    assert without_middle(text, 100, 20) == text


text = st.text(max_size=60)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)  # fmt: skip


@settings(max_examples=50)
@given(
    st.sampled_from([issue, lambda n: comment(n, "b", "c"), pull, lambda n: review(n, "b", "c")]), st.data()
)
def test_any_json_is_an_event_or_says_why_not(make: Any, data: st.DataObject) -> None:
    value = make(data.draw(st.integers(-1, 5)))
    inner = value
    for _ in range(data.draw(st.integers(1, 4))):
        key = data.draw(st.sampled_from(sorted(inner)))
        if isinstance(inner[key], dict) and inner[key] and data.draw(st.booleans()):
            inner = inner[key]
        else:
            inner[key] = data.draw(anything)
            break
    found = events.read_event(json.dumps(value).encode())
    assert found is None or isinstance(found, (str, dict))
    if isinstance(found, dict):
        events.pa.Table.from_pylist([found], schema=events.EVENTS)


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_any_line_is_read(line: bytes) -> None:
    events.read_event(line)


@settings(max_examples=50)
@given(
    text,
    st.lists(
        st.builds(Said, st.sampled_from(["comment", "closed", "line comment"]), text, text, text, text),
        max_size=5,
    ),
)
def test_no_name_of_anybody_is_in_a_conversation(title: str, said: list[Said]) -> None:
    found = conversation_text(title, said, True)
    assert found.startswith("# ")
    assert found.count("username_") >= len(said)


@pytest.mark.parametrize(
    "letter", ["a", " ", "(", "\n", '"', "=", "@a", "> \n", "wrote:\n", "-", "_", "@" + "a" * 38]
)
def test_hostile_texts_take_linear_time(letter: str) -> None:
    whole = letter * (300_000 // len(letter))
    start = time.perf_counter()
    without_mail(whole)
    conversation_text(whole, [Said("comment", "a", whole, whole, whole)], False)
    events.read_event(whole.encode())
    assert time.perf_counter() - start < 3
