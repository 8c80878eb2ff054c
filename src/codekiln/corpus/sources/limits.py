"""What commits, pull requests, issues and Kaggle notebooks must be like, as a table: limit, value, whose it is.

`SourceConfig.limits` overrides a value by its name. Where no source gives a number, the origin is `codekiln`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from codekiln.errors import UserError


@dataclass(frozen=True)
class Limit:
    """`says` is what the limit does; lengths are in characters of decoded text, lines end at a newline."""

    name: str
    value: float
    origin: str
    says: str


_PACK, _FT = "OctoPack (CommitPack)", "OctoPack (CommitPackFT)"
_ONE, _TWO, _OWN = "StarCoder", "StarCoder2", "codekiln"

LIMITS: tuple[Limit, ...] = (
    Limit("commit_message_least", 6, _PACK, "a shorter message drops the commit"),
    Limit("commit_message_most", 9_999, _PACK, "a longer message drops the commit"),
    Limit("commit_words_least", 4, _FT, "a message of fewer words drops the commit"),
    Limit("commit_files_most", 4, _OWN, "changes to more files drop the commit (CommitPack: 1)"),
    Limit("commit_file_characters", 100_000, _ONE, "a longer file is left out"),
    Limit("commit_changed_lines", 200, _ONE, "more lines added and taken away drop the commit (StarCoder keeps 10 %)"),
    Limit("commit_line_characters", 1_000, _TWO, "a longer line that is shown drops the commit"),
    Limit("commit_context", 32, _TWO, "lines shown around a change (StarCoder2's pull requests: up to 32)"),
    Limit("commit_renamed_share", 0.5, "git", "lines that a moved file shares with its old self, to count as moved"),
    Limit("issue_characters_least", 200, _ONE, "less text in all drops the issue"),
    Limit("issue_users", 2, _ONE, "fewer people drop the issue unless it is short"),
    Limit("issue_single_characters", 7_000, _ONE, "the most text of an issue of too few people"),
    Limit("issue_single_events", 10, _ONE, "the most events of an issue of too few people"),
    Limit("comment_lines", 80, _ONE, "a longer comment loses its middle"),
    Limit("comment_last_lines", 20, _ONE, "lines that stay at the end of a comment that was cut"),
    Limit("pull_request_title_least", 10, _TWO, "a shorter title drops the pull request"),
    Limit("pull_request_title_most", 500, _TWO, "a longer title is cut"),
    Limit("pull_request_description_least", 20, _TWO, "a shorter description drops the pull request"),
    Limit("pull_request_description_lines", 80, _TWO, "a longer description loses its middle"),
    Limit("pull_request_description_last_lines", 20, _TWO, "lines that stay at the end of a description that was cut"),
    Limit("pull_request_description_most", 1_000, _TWO, "characters of a description; the rest is cut"),
    Limit("pull_request_comment_least", 20, _TWO, "a shorter comment is removed unless it is on a line of the change"),
    Limit("pull_request_hunk_most", 10_000, _TWO, "a longer piece of the change is removed"),
    Limit("pull_request_hunks_least", 1, _TWO, "fewer pieces of the change drop the pull request (no diff)"),
    Limit("pull_request_characters_most", 100_000, _TWO, "more text in all drops the pull request"),
    Limit("conversation_events_most", 1_000, _OWN, "more events drop the conversation"),
    Limit("kaggle_characters_least", 100, _TWO, "less text drops the notebook"),
    Limit("kaggle_code_cells_least", 2, _OWN, "fewer cells of code drop the notebook"),
    Limit("kaggle_description_most", 4_000, _OWN, "characters of a data set's description; the rest is cut"),
    Limit("kaggle_failed_share", 0.5, _OWN, "a larger share of cells that ended in an error drops the notebook"),
)  # fmt: skip

#: Value by name, as tasks carry them.
Values = Mapping[str, float]


def with_limits(overrides: Mapping[str, float]) -> dict[str, float]:
    """The table's values with some replaced.

    Raises:
        UserError: an override names no limit, or is no number.
    """
    values = {limit.name: limit.value for limit in LIMITS}
    for name, value in overrides.items():
        if name not in values:
            close = difflib.get_close_matches(name, values, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the limits are {', '.join(values)}"
            raise UserError(f"sources.limits: nothing is called {name!r}; {hint}")
        if math.isnan(value):
            raise UserError(
                f"sources.limits.{name}: {value} is no limit; give a number; .inf switches it off"
            )
        values[name] = float(value)
    return values


#: Messages that say nothing of the change, in small letters (CommitPack's and CommitPackFT's lists of noise).
TRIVIAL_MESSAGES = frozenset(
    [
        "add files via upload", "can't you see i'm updating the time?", "commit", "create readme.md", "dummy",
        "first commit", "heartbeat update", "initial commit", "mirroring from micro.blog.", "no message", "pi push",
        "readme", "test", "update", "updated", "updates", "update _config.yaml", "update data.js", "update data.json",
        "update index.html", "update log", "update readme", "update readme.md", "updated readme", "updated readme.md",
        "wip", "fix that bug where things didn't work but now they should", "put the thingie in the thingie",
        "add a beter commit message",
    ]
)  # fmt: skip

#: A subject with one of these was written by a program, or is of no finished change (CommitPackFT).
AUTOMATIC_SUBJECTS = (
    "auto commit",
    "update contributing",
    "work in progress",
    "cherry picked from commit",
    "| leetcode",
)

#: Account names of programs: exact ones, parts, ends (StarCoder), and those of dependency bots.
BOT_NAMES = frozenset(
    [
        "apache-hbase", "autorestci", "claassistant", "claassistantio", "cmsbuild", "codecov-commenter", "codecov-io",
        "coveralls", "danger-public", "dnfclas", "karma-pr-reporter", "msftclas", "probot-stale", "pydocteur", "sparkqa",
        "dependabot", "dependabot-preview", "github-actions", "greenkeeper", "renovate", "pyup.io", "snyk", "web-flow-bot",
    ]
)  # fmt: skip
BOT_PARTS = ("[bot]", "botmanager", "bors-", "jenkins", "k8s-", "-test-", "travis")
BOT_ENDS = (
    "-automaton", "-automation", "-benchmark", "-build", "-deployer", "-cloud", "bot", "-ci", "-linter", "-teamcity",
    "-test", "-testing", "-service-account",
)  # fmt: skip

#: Words in the title of a pull request that changes no code worth reading (StarCoder2).
PULL_REQUEST_TITLES = ("dependenc", "depend", "release")


def is_bot(name: str) -> bool:
    """Whether an account or author name is a program's."""
    lower = name.strip().lower()
    # People are called Abbot and Talbot: the end counts behind a hyphen, or where the name is one word of an account.
    return (
        lower in BOT_NAMES
        or any(part in lower for part in BOT_PARTS)
        or (" " not in lower and lower.endswith(BOT_ENDS))
        or lower.endswith((" bot", " ci"))
    )
