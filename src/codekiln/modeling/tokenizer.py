"""The tokenizer that every room uses at run time: source text to ids and back, control tokens never read from text."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codekiln import formats
from codekiln.errors import UserError
from codekiln.progress import say

if TYPE_CHECKING:
    import fastokens
    import tokenizers


#: Characters after which the faster encoder has paid for the second that building it takes.
_PAYS_OFF = 2_000_000


class Tokenizer:
    """A Qwen2.5 tokenizer without its control tokens and without Unicode normalization.

    - `encode` treats control tokens in text (`<|endoftext|>`, `<tool_call>`, …) as ordinary characters: it never
      returns an id of `formats.CONTROL_IDS` or any other added token. Those are added by id, by `formats`.
    - The release normalizes text to NFC before it cuts it. `encode` does not: a file whose accents are stored
      decomposed would come back changed, and a FIM sample would not rebuild it. For text that is in NFC (nearly
      all source code) the ids are exactly the release's; for other text they spell the bytes as they are, and
      `decode(encode(text)) == text` holds for every text of valid Unicode.

    It can be pickled (a worker loads the file again).

    Long texts are encoded by fastokens, some fifty times faster, once enough has come to pay for building it; it must
    first give the same ids as Hugging Face's tokenizers on a text at hand.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        """Use `load_tokenizer`; `document` is the parsed tokenizer.json found at `path`."""
        from tokenizers import Tokenizer as FastTokenizer

        self.path = path
        self._identity = _identity(path, document)
        plain = {**document, "added_tokens": [], "normalizer": None, "truncation": None, "padding": None}
        self._plain: str | None = json.dumps(plain)
        self._seen = 0
        self._faster: fastokens.Tokenizer | None = None
        try:
            self._fast: tokenizers.Tokenizer = FastTokenizer.from_str(self._plain)
        except Exception as error:  # the library raises bare Exception for every fault of the file
            raise UserError(f"{path}: the tokenizer cannot be built: {error}") from error
        self._added = {token["id"]: token["content"] for token in document["added_tokens"]}

    def __reduce__(self) -> tuple[Any, ...]:
        return load_tokenizer, (self.path,)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, control tokens off. Raises UserError for text with lone surrogates (no valid Unicode)."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text, in order; the same as `encode` on each."""
        try:
            if self._plain is not None:
                self._seen += sum(map(len, texts))
                if self._seen >= _PAYS_OFF:
                    self._faster, self._plain = self._checked_faster(self._plain, texts), None
            if self._faster is not None:
                return [encoding.ids for encoding in self._faster.encode_batch(texts)]
            return self._encode_slowly(texts)
        except (TypeError, UnicodeEncodeError) as error:
            raise UserError("a text to encode is no valid Unicode; decode files as UTF-8 first") from error

    def _encode_slowly(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._fast.encode_batch_fast(texts)]

    def _checked_faster(self, plain: str, texts: list[str]) -> fastokens.Tokenizer | None:
        """fastokens, if it is there and gives the same ids for the beginnings of some texts."""
        try:
            import fastokens
        except ImportError:  # no wheel for this platform: the same ids, later
            return None
        made = fastokens.Tokenizer.from_json_str(plain)
        sample = [text[:4000] for text in texts[:: len(texts) // 20 + 1]]
        if [encoding.ids for encoding in made.encode_batch(sample)] != self._encode_slowly(sample):
            say("fastokens gives other ids than tokenizers; texts are encoded by the latter, which is slower")
            return None
        return made

    def decode(self, ids: list[int], *, control: bool = False) -> str:
        """Text of ids. Added tokens are left out, or spelled with `control=True`; so are ids without an entry.

        Ids that end within a character give U+FFFD for its bytes.
        """
        if not control or self._added.keys().isdisjoint(ids):
            return self._fast.decode(ids, skip_special_tokens=False)
        parts: list[str] = []
        run: list[int] = []
        for token in ids:
            if token in self._added:
                parts += [self._fast.decode(run, skip_special_tokens=False), self._added[token]]
                run = []
            else:
                run.append(token)
        return "".join([*parts, self._fast.decode(run, skip_special_tokens=False)])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over what decides ids (vocabulary, merges, cutting rules, added tokens), not over the spelling
        of the file: the same tokenizer saved by another library has the same fingerprint."""
        return hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Load the tokenizer of a checkpoint folder (or a tokenizer.json itself).

    Raises UserError naming the file when it is missing, damaged, or its control tokens do not have the ids of
    `formats.CONTROL_IDS`. A file is loaded once a process; a changed one is loaded again.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "tokenizer.json"
    try:
        state = file.stat()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; a checkpoint folder has a tokenizer.json") from error
    return _load(file.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(file: Path, size: int, changed: int) -> Tokenizer:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        added = {token["content"]: token["id"] for token in document["added_tokens"]}
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: no valid tokenizer.json; restore the file of the release") from error
    for token, expected in formats.CONTROL_IDS.items():
        if added.get(token) != expected:
            raise UserError(
                f"{file}: {token} has id {added.get(token)}, Qwen2.5-Coder has {expected}; "
                "use the tokenizer of the model's release"
            )
    return Tokenizer(file, document)


def _identity(path: Path, document: dict[str, Any]) -> list[Any]:
    try:
        model = document["model"]
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        added = sorted((token["id"], token["content"]) for token in document["added_tokens"])
        return [model["type"], model["vocab"], merges, _without_offsets(document["pre_tokenizer"]), added]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: no byte-level BPE tokenizer; use the one of the model's release") from error


def _without_offsets(rule: Any) -> Any:
    """A cutting rule without `trim_offsets`, which moves character offsets, never ids; libraries save it as they like."""
    if isinstance(rule, list):
        return [_without_offsets(item) for item in rule]
    if isinstance(rule, dict):
        return {key: _without_offsets(item) for key, item in rule.items() if key != "trim_offsets"}
    return rule
