"""The data kernel: Arrow tables in Parquet shards, map and regroup, executors, manifests."""

from codekiln.shards.executors import Executor, LocalExecutor, choose
from codekiln.shards.kernel import Stage, build, map_shards, regroup
from codekiln.shards.store import Dataset, Manifest

__all__ = [
    "Dataset",
    "Executor",
    "LocalExecutor",
    "Manifest",
    "Stage",
    "build",
    "choose",
    "map_shards",
    "regroup",
]
