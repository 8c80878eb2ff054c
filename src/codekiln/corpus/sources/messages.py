"""The message of a commit: what of it is kept, and which messages drop a commit."""

from __future__ import annotations

import re

from codekiln.corpus.sources import decoding
from codekiln.corpus.sources.history import Commit
from codekiln.corpus.sources.limits import AUTOMATIC_SUBJECTS, TRIVIAL_MESSAGES, Values, is_bot

# Lines that name people or places and say nothing of the change.
_TRAILER = re.compile(
    r"^(?:signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|reported-by|suggested-by|cc|change-id|git-svn-id"
    r"|reviewed-on|differential revision)\b *:",
    re.IGNORECASE,
)
_REVERT = re.compile(r"revert(?:s|ed)?\b", re.IGNORECASE)


def message_of(commit: Commit, limits: Values) -> tuple[str, str]:
    """(message without trailers, "") of a commit, or ("", reason)."""
    if commit.parents > 1:
        return "", "commit: a merge"
    if is_bot(commit.author) or is_bot(commit.email.partition("@")[0]):
        return "", "commit: by a bot"
    if not commit.message.strip():
        return "", "commit: no message"
    text, reason = decoding.decode(commit.message)
    if text is None:
        return (
            "",
            f"commit: message in {reason}" if reason != decoding.BINARY else "commit: message is no text",
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.rstrip() for line in text.split("\n") if not _TRAILER.match(line)]
    message = "\n".join(lines).strip("\n")
    subject = message.partition("\n")[0].strip().lower()
    if _REVERT.match(subject) or "this reverts commit" in message.lower():
        return "", "commit: a revert"
    if subject.startswith("merge"):
        return "", "commit: a merge"
    if message.strip().lower().rstrip(".!") in TRIVIAL_MESSAGES or any(
        one in subject for one in AUTOMATIC_SUBJECTS
    ):
        return "", "commit: message says nothing of the change"
    if (
        len(message) < limits["commit_message_least"]
        or len(message.split(None, int(limits["commit_words_least"]))) < limits["commit_words_least"]
    ):
        return "", "commit: message too short"
    if len(message) > limits["commit_message_most"]:
        return "", "commit: message too long"
    return message, ""
