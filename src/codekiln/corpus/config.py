"""What the sources and corpus stages can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class SourceConfig(BaseModel):
    """Where the code comes from.

    `paths` are git repositories, folders, files and archives, packages of a registry (`pypi:NAME==VERSION`,
    `npm:NAME@VERSION`) and addresses of tables; none means the standard library of the running
    interpreter. `revision` reads git sources at that revision and not from their working tree. Files above
    `max_file_bytes` are never read. `languages` keeps only these names of the 92. `notebooks` are the forms that a
    Jupyter notebook is read in, a row each: a `script` in its kernel's language, `structured` cells with their
    output, the `raw` JSON. `columns` names the columns of tables (Parquet, JSON Lines) where they are not the usual
    ones: content, path, repo, language, licenses, revision. `opt_out` is a list of repositories and paths that are
    never read: `repo` or `repo:path` a line. `redact` is what placeholders replace in the text: `secrets` (keys, tokens,
    passwords), `personal` data (e-mail and IP addresses). `kinds` is what is read: of a git repository its `files`, the
    `commits` of its history or both; of GitHub's events (GH Archive's JSON lines) `issues` and `pull_requests`, both
    unless one is named. `limits` overrides values of the table of limits for commits, conversations and Kaggle's
    notebooks by name (`codekiln.corpus.sources.limits`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[str, ...] = ()
    revision: str | None = None
    max_file_bytes: int = Field(1_048_576, gt=0, le=1024**3)
    languages: tuple[str, ...] | None = None
    opt_out: str | None = None
    columns: dict[Literal["content", "path", "repo", "language", "licenses", "revision"], str] = {}
    notebooks: tuple[Literal["script", "structured", "raw"], ...] = Field(("script",), min_length=1)
    redact: tuple[Literal["secrets", "personal"], ...] = ("secrets", "personal")
    kinds: tuple[Literal["files", "commits", "issues", "pull_requests"], ...] = Field(
        ("files",), min_length=1
    )
    limits: dict[str, float] = {}

    @field_validator("notebooks")
    @classmethod
    def _each_once(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [form for form in forms if forms.count(form) > 1]:
            raise ValueError(f"{twice[0]} stands there twice; each form gives a row of its own, name it once")
        return forms

    @property
    def conversations(self) -> tuple[str, ...]:
        """Which conversations are read of events: those that `kinds` names, or both."""
        return tuple(k for k in ("issues", "pull_requests") if k in self.kinds) or ("issues", "pull_requests")


class GramRules(BaseModel):
    """Which runs of words of the test data count. The rule itself (report section 2.7) has no exception; these are
    for what copies in every repository and is no test.

    `notices`: leave licence and copyright notices of the items out. `letters`: a run counts when so many different
    words of it hold a letter (`1, 2, 3, 4, …` is no sentence), a short text with 3 at most. `most_items`: leave out a
    run that more items than this of one benchmark share (import blocks); None keeps all. `ignore`: texts whose runs never count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    notices: bool = True
    letters: int = Field(3, ge=0, le=10)
    most_items: int | None = Field(None, ge=1)
    ignore: tuple[str, ...] = ()


class CorpusConfig(BaseModel):
    """How files are filtered, deduplicated and split.

    `licenses` is whose code may be learned from: `permissive` keeps files under permissive licences alone, `any` all, as
    for one's own. `split: time` holds out the files that were added last in the git history. `rules` overrides thresholds
    of the rule table by rule name. `rulesets` are the tables of rules: `starcoder2` (with DeepSeek-Coder's) and `opencoder`,
    or both. `parse` measures the share of parse errors, for the rule `parse_errors`. `repository_jaccard` drops whole
    repositories (forks, mirrors) whose word 5-grams are as similar to another's, before files are compared (null: none);
    `repository_keep` keeps the one with the most code, or the one that began first. `against` are test sets (`PATH` or
    `PATH:field,…`): a file that shares `minimum_runs` runs of ten words or more with one of their items is dropped (report
    section 2.7); `runs` says which runs count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: Literal["file", "time"] = "file"
    heldout_fraction: float = Field(0.1, gt=0, lt=1)
    heldout_minimum: int = Field(20, ge=1)
    near_jaccard: float = Field(0.7, gt=0, le=1)
    repository_jaccard: float | None = Field(None, gt=0, le=1)
    repository_keep: Literal["complete", "earliest"] = "complete"
    rules: dict[str, float] = {}
    rulesets: tuple[Literal["starcoder2", "opencoder"], ...] = Field(("starcoder2",), min_length=1)
    parse: Literal["off", "on"] = "off"
    licenses: Literal["permissive", "any"] = "any"
    against: tuple[str, ...] = ()
    minimum_runs: int = Field(1, ge=1)
    runs: GramRules = GramRules()
