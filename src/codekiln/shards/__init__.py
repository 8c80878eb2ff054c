"""The data kernel: Arrow tables in Parquet shards, map and regroup, executors, manifests."""

from codekiln.shards.executors import Executor, LocalExecutor, choose
from codekiln.shards.far import stored
from codekiln.shards.kernel import Stage, build, map_shards, regroup
from codekiln.shards.rows import known_rows, lost_rows, map_rows, places_of
from codekiln.shards.store import Dataset, Manifest

__all__ = [
    "Dataset",
    "Executor",
    "LocalExecutor",
    "Manifest",
    "Stage",
    "build",
    "choose",
    "known_rows",
    "lost_rows",
    "map_rows",
    "map_shards",
    "places_of",
    "regroup",
    "stored",
]
