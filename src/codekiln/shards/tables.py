"""Every table that codekiln stores, in one place: Arrow schemas with a name and a version."""

from __future__ import annotations

import pyarrow as pa

_text = pa.large_string()


def _schema(name: str, version: int, fields: list[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema(
        [pa.field(column, kind) for column, kind in fields],
        metadata={"codekiln.schema": name, "codekiln.version": str(version)},
    )


# One source file, one form of a notebook, a commit or a conversation. `id` is 32 hex digits of a BLAKE2b over
# (repo, path, content, form); `kind` is `file`, `notebook script`, `structured notebook`, `commit`, `issue` or
# `pull_request`: the last three are text in Markdown (their `language`) of a stable form
# (codekiln.corpus.sources.texts, conversations), and `path` is the end of their address on GitHub. `added_at` is the
# Unix time in seconds of the commit that added the file, of the commit itself or of the first words of a
# conversation (null where nobody knows); `size` is in bytes of UTF-8.
FILES = _schema(
    "files",
    2,
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("revision", pa.string()),
        ("added_at", pa.int64()),
        ("language", pa.string()),
        ("licenses", pa.list_(pa.string())),
        ("license_type", pa.string()),
        ("license_evidence", pa.string()),
        ("size", pa.int64()),
        ("content", _text),
    ],
)

#: Kinds of rows of `files` that are put together by codekiln and are no file of a repository: what holds for source files
#: alone (generated, an XML declaration, repository context, being held out) does not hold for them.
COMPOSED_KINDS = frozenset(["commit", "issue", "pull_request"])

# One event of GitHub's public stream that is about an issue or a pull request (codekiln.corpus.sources.events).
# `thread` is "repo#number"; `order` sorts the events of a thread by time and id; `what` is `opened`, `closed`,
# `reopened`, `comment`, `review`, `line comment`, or "" for a line that is no event, whose reason is `body`; `title`, `text`
# and `author` are those of the conversation as this event knew them.
EVENTS = _schema(
    "events",
    1,
    [
        ("thread", pa.string()),
        ("order", pa.string()),
        ("repo", pa.string()),
        ("number", pa.int64()),
        ("pull_request", pa.bool_()),
        ("what", pa.string()),
        ("actor", pa.string()),
        ("bot", pa.bool_()),
        ("time", pa.string()),
        ("body", _text),
        ("path", pa.string()),
        ("hunk", _text),
        ("state", pa.string()),
        ("title", _text),
        ("text", _text),
        ("author", pa.string()),
        ("author_bot", pa.bool_()),
        ("opened", pa.string()),
        ("merged", pa.bool_()),
        ("base", pa.string()),
        ("license", pa.string()),
    ],
)

# What was skipped before it could become a row of `files`: a path and the reason.
SKIPPED = _schema(
    "skipped",
    1,
    [("repo", pa.string()), ("path", pa.string()), ("reason", pa.string()), ("size", pa.int64())],
)

# What OpenCoder's rules ask for: shares of characters, words or lines of code, or per line of code.
_OPENCODER_SHARES = """
    oc_replacement_fraction oc_alphabetic_fraction oc_digit_fraction oc_blank_fraction oc_comment_fraction oc_hex_fraction
    oc_string_fraction oc_long_word_fraction oc_prompt_lines oc_assert_lines oc_long_string_lines oc_duplicate_lines
    oc_mean_word_length oc_unique_word_fraction oc_top_2gram_fraction oc_top_3gram_fraction oc_top_4gram_fraction
    oc_duplicate_5gram_fraction oc_duplicate_6gram_fraction oc_duplicate_7gram_fraction oc_duplicate_8gram_fraction
    oc_duplicate_9gram_fraction oc_duplicate_10gram_fraction oc_functions oc_no_logic oc_print_lines oc_import_lines
    oc_pass_lines oc_return_functions oc_directive_lines
"""

# Measured numbers of one file; thresholds live in the rule table and are applied later (report section 2.1).
# `parse_errors` is null where nothing was parsed, the columns `oc_…` where OpenCoder's rules are not in force.
SIGNALS = _schema(
    "signals",
    2,
    [
        ("id", pa.string()),
        ("content_hash", pa.string()),
        ("lines", pa.int64()),
        ("characters", pa.int64()),
        ("mean_line_length", pa.float64()),
        ("max_line_length", pa.int64()),
        ("alphabetic_fraction", pa.float64()),
        ("alphanumeric_fraction", pa.float64()),
        ("encoded_fraction", pa.float64()),
        ("encoded_longest", pa.int64()),
        ("visible_text_characters", pa.int64()),
        ("visible_text_fraction", pa.float64()),
        ("xml_declaration", pa.bool_()),
        ("generated", pa.bool_()),
        ("control_tokens", pa.int64()),
        ("parse_errors", pa.float64()),
        *((name, pa.float64()) for name in _OPENCODER_SHARES.split()),
        *((name, pa.int64()) for name in ("oc_words", "oc_mains")),
        *((name, pa.bool_()) for name in ("oc_generated", "oc_no_variable", "oc_go_test")),
    ],
)

# Fate of every file: `reason` is "" when kept; `near_group` is the id of the group's kept file, `repository_group` the
# name of the kept repository where the file's is a near copy of others as a whole ("" in none); `split` is "train",
# "heldout" or "" (dropped).
DECISIONS = _schema(
    "decisions",
    2,
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("near_group", pa.string()),
        ("split", pa.string()),
        ("size", pa.int64()),
        ("repository_group", pa.string()),
    ],
)

# One packed training row. `input_ids` are the documents of the row, one behind the other; `lengths` are the
# documents' token counts (they sum to len(input_ids)); `loss_mask` is 1 where the token is a target and 0
# where it is not; `kinds` labels each token (see codekiln.dataset.samples); `documents` names each document's
# source as "repo:path" (several files of a repository document are joined by newlines).
SEQUENCES = _schema(
    "sequences",
    1,
    [
        ("row", pa.int64()),
        ("epoch", pa.int64()),
        ("input_ids", pa.list_(pa.int32())),
        ("lengths", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.uint8())),
        ("kinds", pa.list_(pa.uint8())),
        ("documents", pa.list_(pa.string())),
        ("forms", pa.list_(pa.string())),
    ],
)

# One held-out probe and its answer by one model (codekiln.evaluation.measurement). `file` is the id of the held-out
# file, `line` the 1-based line where the hole begins; `prefix` and `suffix` are the context as shown to the
# model; `nll_bits` are the bits of the reference's tokens, `end_bits` those of the end-of-text token after it;
# `stopped` tells that the model ended by itself.
GENERATIONS = _schema(
    "generations",
    1,
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("file", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("line", pa.int64()),
        ("prefix", _text),
        ("suffix", _text),
        ("reference", _text),
        ("completion", _text),
        ("truncated", _text),
        ("stopped", pa.bool_()),
        ("nll_bits", pa.float64()),
        ("end_bits", pa.float64()),
        ("reference_bytes", pa.int64()),
        ("reference_tokens", pa.int64()),
        ("new_tokens", pa.int64()),
    ],
)

# Bits of one window of held-out text under one model; `id` is the file's id, `window` counts its windows in
# order, `line` is the 1-based line where the window begins. `bytes` and `tokens` are those that were scored.
TEXT_SCORES = _schema(
    "text_scores",
    1,
    [
        ("id", pa.string()),
        ("window", pa.int64()),
        ("line", pa.int64()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("nll_bits", pa.float64()),
        ("bytes", pa.int64()),
        ("tokens", pa.int64()),
    ],
)


def schema_name(schema: pa.Schema) -> str:
    return schema.metadata[b"codekiln.schema"].decode()


def schema_version(schema: pa.Schema) -> int:
    return int(schema.metadata[b"codekiln.version"])
