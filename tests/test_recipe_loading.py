"""Recipes: inheritance, overrides, and messages that name file, line, key and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from codekiln.errors import UserError
from codekiln.recipe import Given, Recipe, builtin_recipes, dump, load_recipe, to_yaml


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path.name


def message(text: str | bytes, *overrides: str) -> str:
    write(Path("my.yaml"), text)
    with pytest.raises(UserError) as caught:
        load_recipe("my.yaml", overrides)
    found = str(caught.value)
    assert "\n" not in found
    return found


def test_builtin_recipes_load_and_describe_themselves() -> None:
    assert "quickstart" in builtin_recipes()
    for name in builtin_recipes():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.description
    assert load_recipe("quickstart").training.minutes == 4
    assert load_recipe("quickstart").training.learning_rate == 2e-4


def test_every_key_has_a_default_and_the_name_comes_from_the_file(folder: Path) -> None:
    write(folder / "my-code.yaml", "seed: 3\n")
    assert load_recipe("my-code.yaml") == Recipe(name="my-code", seed=3)


def test_extends_merges_stage_by_stage_and_replaces_lists(folder: Path) -> None:
    write(folder / "base.yaml", "name: base\ndescription: b\nseed: 1\ntraining: {rank: 4, alpha: 8}\n")
    write(folder / "base.yaml", (folder / "base.yaml").read_text() + "export: {gguf: [f16, q8_0]}\n")
    write(
        folder / "sub" / "child.yaml", "extends: ../base.yaml\ntraining: {rank: 2}\nexport: {gguf: [f16]}\n"
    )
    recipe = load_recipe("sub/child.yaml")
    assert (recipe.training.rank, recipe.training.alpha, recipe.seed) == (2, 8.0, 1)
    assert recipe.export.gguf == ("f16",)
    assert (recipe.name, recipe.description) == ("child", "")


def test_a_chain_of_files_ends_in_a_builtin(folder: Path) -> None:
    write(folder / "a.yaml", "extends: quickstart\nseed: 1\ntraining: {rank: 3}\n")
    write(folder / "b.yaml", "extends: a.yaml\ntraining: {alpha: 9}\n")
    recipe = load_recipe("b.yaml", ["training.rank=5"])
    assert (recipe.seed, recipe.training.rank, recipe.training.alpha) == (1, 5, 9.0)
    assert recipe.training.minutes == load_recipe("quickstart").training.minutes


def test_the_other_budget_is_put_aside_when_one_is_chosen(folder: Path) -> None:
    training = load_recipe("quickstart", ["training.tokens=1e6"]).training
    assert (training.tokens, training.minutes) == (1_000_000, None)
    write(folder / "my.yaml", "extends: quickstart\ntraining: {tokens: 20_000}\n")
    assert load_recipe("my.yaml").training.tokens == 20_000
    assert load_recipe("my.yaml", ["training.minutes=.5"]).training.tokens is None
    assert "either tokens or minutes" in message("training: {tokens: 1, minutes: 1}")
    both = message("seed: 1", "training.tokens=1", "training.minutes=1")
    assert both.startswith("--set training.")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), (".0002", 2e-4), ("2.", 2.0), ("1", 1.0), ("+1_0.5", 10.5)],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert load_recipe("quickstart", [f"training.learning_rate={text}"]).training.learning_rate == value


def test_text_stays_text(folder: Path) -> None:
    for word in ("yes", "no", "on", "off", "1.2.3", "2024-01-01", "12:30", "é世界", "NaN", ".inf"):
        write(folder / "my.yaml", f"description: {word}\n")
        assert load_recipe("my.yaml").description == word


def test_overrides_take_lists_and_mappings() -> None:
    recipe = load_recipe("quickstart", ["sources.paths=[a, 'b c']", "corpus={split: time}", "seed=7"])
    assert (recipe.sources.paths, recipe.corpus.split, recipe.seed) == (("a", "b c"), "time", 7)
    assert recipe.corpus.heldout_minimum == load_recipe("quickstart").corpus.heldout_minimum
    assert load_recipe("quickstart", ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\ntraining:\n  lerning_rate: 1\n", "my.yaml:3: training.lerning_rate: unknown key; did you mean learning_rate?"),
        ("\n\ndataset:\n  fim_rate: 1.5\n", "my.yaml:4: dataset.fim_rate: 1.5 is not a number from 0 to 1"),
        ("trainin: {}\n", "my.yaml:1: trainin: unknown key; did you mean training?"),
        ("qqq: {}\n", "my.yaml:1: qqq: unknown key; a recipe has: name, description, seed, "),
        ("corpus: {qq: 1}\n", "my.yaml:1: corpus.qq: unknown key; corpus has: split, "),
        ("extend: quickstart\n", "my.yaml:1: extend: unknown key; did you mean extends?"),
        ("seed: true\n", "my.yaml:1: seed: true is not a whole number from 0 to "),
        ("seed: 1.5\n", "my.yaml:1: seed: 1.5 is not a whole number"),
        ("seed: '1'\n", "my.yaml:1: seed: 1 is not a whole number"),
        ("seed:\n", "my.yaml:1: seed: null is not a whole number"),
        ("training:\n", "my.yaml:1: training: has no value; write {} for its defaults, or leave the key out"),
        ("training: fast\n", "my.yaml:1: training: fast is not a mapping with the keys "),
        ("training: [1]\n", "my.yaml:1: training: [1] is not a mapping with the keys "),
        ("description: true\n", "my.yaml:1: description: true is not text; quote it to make it text: 'true'"),
        ("name: 1.5\n", "my.yaml:1: name: 1.5 is not text; quote it"),
        ("name: ../x\n", "my.yaml:1: name: takes letters, digits, "),
        ("export:\n  gguf: f16\n", "my.yaml:2: export.gguf: f16 is not a list of one of f16, q8_0; put it in brackets: [f16]"),
        ("export:\n  gguf:\n  - f16\n  - q4\n", "my.yaml:4: export.gguf.1: q4 is not one of f16, q8_0"),
        ("training: {betas: [1]}\n", "my.yaml:1: training.betas.1: is missing; it is a number"),
        ("training: {minutes: soon}\n", "my.yaml:1: training.minutes: soon is not a number above 0 or null"),
        ("training: {learning_rate: .nan}\n", 'my.yaml:1: training.learning_rate: ".nan" is not a number above 0'),
        ("corpus: {rules: {a: b}}\n", "my.yaml:1: corpus.rules.a: b is not a number"),
        ("seed: -1\nzzz: 1\n", "my.yaml:1: seed: -1 is not a whole number from 0 to 9223372036854775807 (1 more mistake after this one)"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line(folder: Path, text: str, expected: str) -> None:
    assert message(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "my.yaml: is empty; "),
        ("# nothing\n", "my.yaml: is empty; "),
        ("- a\n", "my.yaml:1: is not a mapping"),
        ("just text\n", "my.yaml:1: is not a mapping"),
        ("seed: 1\nname: a\nseed: 2\n", "my.yaml:3: seed: is given twice (first on line 1)"),
        ("corpus:\n  split: file\n  split: time\n", "my.yaml:3: corpus.split: is given twice (first on line 2)"),
        ("corpus:\n\tsplit: file\n", "my.yaml:2: is not valid YAML: a tab where YAML wants spaces"),
        ("corpus:\n  split: file: x\n", "my.yaml:2: is not valid YAML: a colon where no key can stand"),
        ("corpus: [\n", "my.yaml:2: is not valid YAML: "),
        ("seed: 1\n---\nseed: 2\n", "my.yaml:2: is not valid YAML: a second document starts here"),
        ("seed: 1\nname: 'a\n", "my.yaml:3: is not valid YAML: "),
        (b"seed: 1\nname: \xff\xfe\n", "my.yaml:2: is not UTF-8 (byte 14)"),
        ("seed: 1".encode("utf-16"), "my.yaml:1: is not UTF-8 (byte 0)"),
        ("seed: 1\nname: \x00\n", "my.yaml:2: character U+0000 is not allowed"),
        ("seed: 1\nname: \x1b[31m\n", "my.yaml:2: character U+001B is not allowed"),
        ('name: "\\ud800"\n', "my.yaml:1: name: contains half of a surrogate pair"),
        ("seed: &a 1\nname: *a\n", "my.yaml:2: aliases (*name) are not allowed"),
        ("seed: *nowhere\n", "my.yaml:1: aliases (*name) are not allowed"),
        ("base: &b {split: file}\ncorpus:\n  <<: *b\n", "my.yaml:3: aliases"),
        ("corpus: {<<: {split: time}}\n", "my.yaml:1: corpus.<<: unknown key"),
        ("seed: !!int '1'\n", "my.yaml:1: tags (tag:yaml.org,2002:int) are not allowed"),
        ("seed: !!python/object/apply:os.getcwd []\n", "my.yaml:1: tags ("),
        ("? [a, b]\n: 1\n", "my.yaml:1: a key must be a single word"),
        ("[" * 5000, "my.yaml:1: is nested deeper than 24 levels"),
        ("seed: 1e999\n", "my.yaml:1: seed: 1e999 is too large"),
        (f"seed: {'9' * 5000}\n", "my.yaml:1: seed: a number of 5000 characters is too long"),
        ("#" * 300_000, "my.yaml: is larger than 256 KiB"),
        ("seed: 1\nextends: nowhere.yaml\n", "my.yaml:2: extends: there is no file 'nowhere.yaml' beside my.yaml, and built-in are: "),
        ("extends: [quickstart]\n", "my.yaml:1: extends: is the name of one built-in recipe"),
        ("extends: my.yaml\n", "my.yaml:1: extends: goes round in a circle: my.yaml -> my.yaml"),
        ("extends: .\n", "is a folder, not a YAML file"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_in_one_line(folder: Path, text: str | bytes, expected: str) -> None:
    found = message(text)
    assert expected in found if expected.startswith("is a folder") else found.startswith(expected)


def test_an_alias_bomb_is_refused_at_once(folder: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert message(bomb).startswith("my.yaml:2: aliases")


def test_anchors_without_use_and_a_byte_order_mark_do_no_harm(folder: Path) -> None:
    write(folder / "my.yaml", b"\xef\xbb\xbfseed: &x 5\r\n")
    assert load_recipe("my.yaml").seed == 5


def test_mistakes_in_an_extended_file_name_that_file(folder: Path) -> None:
    write(folder / "sub" / "base.yaml", "seed: 1\ntraining:\n  rank: 0\n")
    assert message("extends: sub/base.yaml\ntraining: {alpha: 1}\n") == (
        "sub/base.yaml:3: training.rank: 0 is not a whole number above 0"
    )
    write(folder / "sub" / "base.yaml", "extends: gone.yaml\n")
    assert message("extends: sub/base.yaml\n").startswith("sub/base.yaml:1: extends: there is no file")
    # The child mends what the base got wrong.
    write(folder / "sub" / "base.yaml", "training:\n  rank: 0\n")
    write(folder / "my.yaml", "extends: sub/base.yaml\ntraining: {rank: 1}\n")
    assert load_recipe("my.yaml").training.rank == 1


def test_circles_and_long_chains_are_refused(folder: Path) -> None:
    write(folder / "a.yaml", "extends: b.yaml\n")
    write(folder / "b.yaml", "extends: ./a.yaml\n")
    with pytest.raises(UserError, match=r"b\.yaml:1: extends: goes round in a circle: a\.yaml -> b\.yaml -> a\.yaml"):  # fmt: skip
        load_recipe("a.yaml")
    for number in range(20):
        write(folder / f"n{number}.yaml", f"extends: n{number + 1}.yaml\n")
    with pytest.raises(UserError, match="more than 8 files deep"):
        load_recipe("n0.yaml")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("corpus.foo=1", "--set corpus.foo=1: unknown key; corpus has: split, "),
        ("corpsu.split=time", "--set corpsu.split=time: corpsu: unknown key; did you mean corpus?"),
        ("dataset.fim_rate=1.5", "--set dataset.fim_rate=1.5: 1.5 is not a number from 0 to 1"),
        ("training={rank: -1}", "--set training={rank: -1}: training.rank: -1 is not a whole number above 0"),
        ("seed.x=1", '--set seed.x=1: seed: {"x": 1} is not a whole number'),
        ("training.minutes", "--set training.minutes: is written --set stage.key=value"),
        ("=1", "--set =1: is written --set stage.key=value"),
        ("training..rank=1", "--set training..rank=1: is written --set stage.key=value"),
        ("training.rank=", "--set training.rank=: has no value"),
        ("training.rank=[1", "--set training.rank=[1: is not valid YAML"),
        ("training.rank=*a", "--set training.rank=*a: aliases"),
        ("training.rank=!!int 1", "--set training.rank=!!int 1: tags"),
        ("name=\ud800", "--set name=\ud800: character"),
        ("extends=quickstart", "--set extends=quickstart: extends belongs into a recipe file"),
    ],
)
def test_a_wrong_override_is_named(override: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("quickstart", [override])
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quikstart", "there is no recipe 'quikstart'; built-in is quickstart: did you mean that?"),
        ("zzz", "there is no recipe 'zzz'; built-in are: "),
        ("gone.yaml", "gone.yaml: there is no such file"),
        ("/dev/zero", "/dev/zero: is not a regular file"),
        ("a\0b.yaml", "cannot be read"),
        ("x" * 5000 + ".yaml", "cannot be read"),
        (".", ".: is a folder, not a YAML file"),
    ],
)
def test_a_recipe_that_is_not_there(folder: Path, name: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(name)
    assert expected in str(caught.value)


def test_a_builtin_name_wins_over_a_file_of_that_name(folder: Path) -> None:
    write(folder / "quickstart", "seed: 99\n")
    assert load_recipe("quickstart").seed == 0
    assert load_recipe("./quickstart").seed == 99


def test_what_is_shown_reads_back_as_the_same_recipe(folder: Path) -> None:
    recipe = load_recipe("quickstart", ["description='1e5'", "sources.paths=['yes', '010', ' a ', 'x: #y']"])
    write(folder / "shown.yaml", to_yaml(recipe))
    assert load_recipe("shown.yaml") == recipe
    assert dump(load_recipe("shown.yaml")) == dump(recipe)


@pytest.mark.parametrize(
    ("file", "name"),
    [("my recipe.yaml", "my-recipe"), ("été (2).yaml", "ete-2"), ("-x.yaml", "x"), ("a_.yaml", "a_")],
)
def test_a_file_name_that_is_no_recipe_name_is_made_one(folder: Path, file: str, name: str) -> None:
    write(folder / file, "extends: quickstart\n")
    assert load_recipe(file).name == name


def test_a_file_name_without_a_letter_asks_for_a_name(folder: Path) -> None:
    write(folder / "日本.yaml", "extends: quickstart\n")
    with pytest.raises(UserError, match=r"^日本\.yaml: has no name.*add `name: "):
        load_recipe("日本.yaml")
    write(folder / "日本.yaml", "extends: quickstart\nname: nihon\n")
    assert load_recipe("日本.yaml").name == "nihon"


@pytest.mark.parametrize("key", ["sources: {paths", "model: {name"])
def test_a_null_character_is_named_with_its_line(folder: Path, key: str) -> None:
    value = '["a\\0b"]' if "paths" in key else '"a\\0b"'
    found = message(f"extends: quickstart\n{key}: {value}}}\n")
    assert found.startswith("my.yaml:2: ")
    assert "null character" in found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Given("--source", "sources.paths", ["u\udcff"]), "--source: u\\xff is not UTF-8"),
        (Given("--minutes", "training.minutes", float("inf")), "--minutes: inf is not a finite number"),
        (Given("--seed", "seed", -1), "--seed: -1 is not a whole number"),
    ],
)
def test_a_wrong_value_of_an_option_names_the_option(given: Given, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("quickstart", [given])
    assert str(caught.value).startswith(expected)
    assert "--set" not in str(caught.value)


def test_options_come_after_set_and_take_text_as_it_is() -> None:
    paths = ["", "a: b", "null", "[x]", "it's \\n"]
    recipe = load_recipe("quickstart", ["training.tokens=3", Given("--source", "sources.paths", paths)])
    assert recipe.sources.paths == tuple(paths)
    assert load_recipe("quickstart", ["seed=3", Given("--seed", "seed", 4)]).seed == 4
    assert load_recipe("quickstart", [Given("--tokens", "training.tokens", 9)]).training.minutes is None


def test_an_override_that_the_command_does_not_read_is_refused() -> None:
    reads = ("sources", "corpus", "seed")
    assert load_recipe("quickstart", ["seed=3", "corpus.split=time"], reads).seed == 3
    for text in ("training.minutes=2", "training.x=y", "name=a"):
        with pytest.raises(UserError) as caught:
            load_recipe("quickstart", ["seed=3", text], reads)
        assert str(caught.value).startswith(
            f"--set {text}: this command reads sources, corpus and seed of a recipe, not {text.split('.')[0].split('=')[0]};"
        )
    with pytest.raises(UserError, match="unknown key; did you mean training"):
        load_recipe("quickstart", ["trainin.x=1"], reads)


def test_each_stage_command_says_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from codekiln.cli.main import run

    for words, other in [
        (["corpus", "build"], "training.x=1"), (["dataset", "build", "c", "--tokens", "9"], "proof.samples=1"),
        (["train", "d"], "export.gguf=[]"), (["eval", "m", "--corpus", "c"], "corpus.split=time"),
        (["export", "t"], "seed=1"),
    ]:  # fmt: skip
        assert run([*words, "-o", str(tmp_path / "o"), "--set", other]) == 2
        assert f"--set {other}: this command reads " in capsys.readouterr().err
        assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("key", ["contents", "x"])
def test_a_key_that_a_mapping_does_not_take_is_named(key: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("quickstart", [f"sources.columns.{key}=text"])
    hint = "did you mean content?" if key == "contents" else "columns has: content, path, repo, language, "
    assert str(caught.value).startswith(f"--set sources.columns.{key}=text: unknown key; {hint}")


def test_a_wrong_item_is_named_and_not_the_length_of_its_list() -> None:
    for text, expected in [
        ("sources.kinds=[commit]", "commit is not one of files, commits, issues, pull_requests"),
        ("sources.kinds=[]", "sources.kinds=[]: [] holds 0; it takes at least 1 item"),
        ("sources.notebooks=[raw, script, raw]", "raw stands there twice"),
    ]:
        with pytest.raises(UserError) as caught:
            load_recipe("quickstart", [text])
        assert expected in str(caught.value)
        assert "more mistake" not in str(caught.value)
