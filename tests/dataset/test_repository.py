"""Repository samples: which files come along, in which order, and what each may take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codekiln import formats
from codekiln.dataset.config import DatasetConfig
from codekiln.dataset.documents import Document, windows_of
from codekiln.dataset.files import TrainFiles
from codekiln.dataset.repository import has_context, rank_context, repository_document, target_room
from codekiln.errors import UserError
from codekiln.fim import document_rng

Corpus = Callable[..., Path]
TREE = [
    ("shop", "app/main.py", "from app.models import Item\nimport util.text\n\nprint(Item())\n"),
    ("shop", "app/views.py", "def show(item):\n    return str(item)\n"),
    ("shop", "app/models.py", "class Item:\n    price = 1\n"),
    ("shop", "app/admin/panel.py", "def panel():\n    return 0\n"),
    ("shop", "util/text.py", "def wrap(text):\n    return text\n"),
    ("shop", "setup.py", "print('setup')\n"),
    ("other", "app/models.py", "class Alien:\n    pass\n"),
    ("alone", "only.py", "x = 1\n"),
]


def document(files: TrainFiles, target: int, tokenizer: Any, **values: Any) -> Document:
    config = DatasetConfig(**{"repository_length": 512, "repository_fim_rate": 1.0, **values})
    text = files.text(target)
    window = windows_of(files.ids[target], text, 0, 1, tokenizer, target_room(config) - 8)[0]
    ranked = rank_context(files, target, text)
    return repository_document(
        files, target, text, window, ranked, tokenizer, document_rng(0, 0, window.id), config
    )


def visible(document: Document) -> str:
    names = {number: token for token, number in formats.CONTROL_IDS.items()}
    return "".join(
        names[segment.ids[0]] if segment.ids and segment.ids[0] in names else bytes(segment.ids).decode()
        for segment in document.sample
    )


def test_nearness_is_folder_then_shared_path_then_imports(make_corpus: Corpus) -> None:
    files = TrainFiles(make_corpus(TREE, per_shard=3))
    ranked = [files.paths[number] for number in rank_context(files, 0, files.text(0))]
    assert ranked == ["app/models.py", "app/views.py", "app/admin/panel.py", "setup.py", "util/text.py"]
    assert {files.repos[number] for number in rank_context(files, 0, files.text(0))} == {"shop"}


def test_the_target_is_last_and_the_nearest_file_stands_before_it(
    make_corpus: Corpus, byte_tokenizer: Any
) -> None:
    files = TrainFiles(make_corpus(TREE))
    made = document(files, 0, byte_tokenizer, repository_length=1024)
    text = visible(made)
    parts = text.split("<|file_sep|>")
    assert parts[0] == "<|repo_name|>shop\n"
    assert [part.split("\n")[0] for part in parts[1:]] == [
        "util/text.py",
        "setup.py",
        "app/admin/panel.py",
        "app/views.py",
        "app/models.py",
        "app/main.py",
    ]
    assert parts[-2] == "app/models.py\nclass Item:\n    price = 1\n\n"
    assert parts[-1].startswith("app/main.py\n<|fim_prefix|>")
    assert parts[-1].endswith("<|endoftext|>")
    assert "fim" not in "".join(parts[:-1])
    assert made.form.startswith("repository:fim:")
    assert made.source.split("\n")[-1] == "shop:app/main.py"
    assert len(made.source.split("\n")) == 6


def test_a_plain_target_has_the_same_context(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    files = TrainFiles(make_corpus(TREE))
    made = document(files, 2, byte_tokenizer, repository_fim_rate=0.0)
    assert made.form == "repository:plain"
    assert visible(made).endswith("<|file_sep|>app/models.py\nclass Item:\n    price = 1\n<|endoftext|>")


def test_no_two_contents_are_equal_and_none_is_the_targets(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    copy = "def same():\n    return 'copy'\n"
    tree = [("r", f"{name}.py", copy) for name in "abcd"] + [
        ("r", f"{name}.py", "other = 1\n") for name in "ef"
    ]
    files = TrainFiles(make_corpus(tree))
    made = visible(document(files, 0, byte_tokenizer, repository_fim_rate=0.0))
    assert made.count("def same") == 1
    assert made.count("other = 1") == 1


def test_a_repository_of_copies_gives_a_file_level_document(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    files = TrainFiles(
        make_corpus([("r", f"{name}.py", "def same():\n    return 'copy'\n") for name in "ab"])
    )
    made = document(files, 0, byte_tokenizer)
    assert made.form.startswith("fim:")
    assert "<|repo_name|>" not in visible(made)
    assert made.source == "r:a.py"


def test_long_files_share_the_row_and_are_cut_at_line_starts(
    make_corpus: Corpus, byte_tokenizer: Any
) -> None:
    long = [("r", f"f{n}.py", "".join(f"value_{n}_{k} = {k}\n" for k in range(400))) for n in range(5)]
    files = TrainFiles(make_corpus(long))
    made = document(files, 0, byte_tokenizer, repository_length=2048, repository_fim_rate=0.0)
    total = sum(len(segment.ids) for segment in made.sample)
    assert 0.9 * 2048 < total <= 2048
    target = visible(made).split("<|file_sep|>f0.py\n")[1]
    assert 0.9 * 1024 < len(target) <= 1024
    context = [part.split("\n", 1)[1] for part in visible(made).split("<|file_sep|>")[1:-1]]
    assert len(context) >= 2
    for part in context:
        assert any(content.startswith(part.removesuffix("\n")) for _, _, content in long)
        assert part.removesuffix("\n").endswith("\n")


def test_a_small_target_leaves_its_half_to_the_context(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    tree = [("r", "a.py", "x = 1\n")] + [("r", f"f{n}.py", f"value_{n} = 1\n" * 100) for n in range(5)]
    made = document(TrainFiles(make_corpus(tree)), 0, byte_tokenizer, repository_length=2048)
    assert 0.9 * 2048 < sum(len(segment.ids) for segment in made.sample) <= 2048


def test_only_training_files_are_ever_opened(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    corpus = make_corpus(TREE, [("shop", "app/secret.py", "held_out = 1\n")])
    files = TrainFiles(corpus)
    assert "app/secret.py" not in files.paths
    made = "".join(
        visible(document(files, n, byte_tokenizer)) for n in range(len(files)) if has_context(files, n)
    )
    assert "held_out" not in made
    assert "secret" not in made


def test_names_with_line_breaks_do_not_break_the_format(make_corpus: Corpus, byte_tokenizer: Any) -> None:
    tree = [("r\nx", "a\nb.py", "x = 1\ny = 2\n"), ("r\nx", "c\r.py", "z = 3\n")]
    made = document(TrainFiles(make_corpus(tree)), 0, byte_tokenizer, repository_fim_rate=0.0)
    assert (
        visible(made)
        == "<|repo_name|>r x\n<|file_sep|>c .py\nz = 3\n\n<|file_sep|>a b.py\nx = 1\ny = 2\n<|endoftext|>"
    )
    assert made.source == "r x:c .py\nr x:a b.py"


def test_a_lone_file_has_no_context(make_corpus: Corpus) -> None:
    files = TrainFiles(make_corpus(TREE))
    assert [has_context(files, number) for number in range(len(files))] == [True] * 6 + [False] * 2


def test_a_corpus_without_files_is_the_users_mistake(make_corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no file to train on"):
        TrainFiles(make_corpus([]))
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        TrainFiles(tmp_path / "nowhere")


def test_a_file_stands_after_what_it_imports_unless_told_otherwise(
    make_corpus: Corpus, byte_tokenizer: Any
) -> None:
    tree = [
        ("r", "app/main.py", "print('main')\n"),
        ("r", "app/near.py", "near = 1\n"),
        ("r", "core/base.py", "from app import near\n"),
        ("r", "zoo/user.py", "from core import base\n"),
    ]
    files = TrainFiles(make_corpus(tree))
    for order, expected in (
        ("dependency", ["app/near.py", "core/base.py", "zoo/user.py", "app/main.py"]),
        ("path", None),
    ):
        made = document(files, 0, byte_tokenizer, repository_length=1024, order=order)
        names = [part.split("\n")[0] for part in visible(made).split("<|file_sep|>")[1:]]
        assert names[-1] == "app/main.py"
        assert made.source.split("\n") == [f"r:{name}" for name in names]
        assert names == (expected or names)
    # Without dependencies in between, the nearest file is the last before the target.
    assert names[-2] == "app/near.py"
