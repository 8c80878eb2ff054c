"""A whole run of a recipe: the stages in order, in one folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from codekiln.corpus.sources.places import is_local
from codekiln.errors import CodekilnError, RunError
from codekiln.modeling.fetch import Checkpoint, check_name, resolve
from codekiln.pipeline import stages
from codekiln.pipeline.runner import Stage, bring, check_folder, finished, locked, publish, withdraw
from codekiln.progress import say
from codekiln.recipe import Recipe
from codekiln.shards import Executor
from codekiln.shards.disk import read_json, write_json
from codekiln.shards.folders import partial_folder

#: What the export stage may hold and the run's folder shows.
RESULTS = ("model", "adapter", "model-f16.gguf", "model-q8_0.gguf")
#: Stages in the order of a run.
ORDER = ("sources", "corpus", "model", "plan", "before", "dataset", "training", "export", "after", "report")
#: What tells of the whole run; run.json comes last and goes last, so that it says which run is shown.
_REPORTS = ("report.html", "report.json", "run.json")
#: The stages that read the sources, and so find the mistakes in what was given.
_READING = ("sources", "corpus")


class Run:
    """One run of a recipe in a folder; `records` collects what each stage did, in order."""

    def __init__(self, recipe: Recipe, folder: Path, *, executor: Executor, threads: int) -> None:
        self.recipe, self.folder, self.threads = recipe, folder, threads
        self.executor = executor
        self.records: list[dict[str, Any]] = []
        self._checkpoint: Checkpoint | None = None

    def path(self, name: str) -> Path:
        return self.folder / "stages" / name

    def checkpoint(self, allow_fetch: bool = True) -> Checkpoint:
        """The base model, found or fetched once."""
        self._checkpoint = self._checkpoint or resolve(self.recipe.model.name, allow_fetch=allow_fetch)
        return self._checkpoint

    def check(self) -> None:
        """Whether the run may write to its folder (UserError where not, as `check_folder`); writes nothing itself."""
        check_folder(self.folder, *self._outputs(), self._local_sources())

    def hold(self) -> AbstractContextManager[None]:
        """Hold the folder for writing (`locked`)."""
        return locked(self.folder, *self._outputs(), self._local_sources())

    def _local_sources(self) -> list[str]:
        return [path for path in self.recipe.sources.paths if is_local(path)]

    def _outputs(self) -> tuple[list[str], tuple[str, ...]]:
        made = [f"stages/{name}" for name in ORDER if name not in ("model", "report")]
        return made, ("stages", *RESULTS, *_REPORTS)

    def _shown(self) -> dict[str, Any]:
        """What run.json, or else report.json, says of the run whose results the folder shows; empty without one."""
        found = [path for path in (self.folder / "run.json", self.folder / "report.json") if path.is_file()]
        try:
            run: Any = read_json(found[0]) if found else {}
            str(run["name"]), [str(part) for part in run["config"]["sources"]["paths"]]
            {row["stage"]: row["key"] for row in run["stages"]}
        except (CodekilnError, KeyError, TypeError):
            return {}
        return dict(run)

    def plan(self) -> dict[str, Any]:
        return stages.read_plan(self.path("plan"))

    def stage(self, name: str, *, fetch: bool = True) -> Stage:
        """The definition of a stage; the stages before it have to stand. `fetch=False`: RunError where sources would
        have to be downloaded."""
        make: dict[str, Callable[[], Stage]] = {
            "sources": lambda: stages.sources_stage(
                self.recipe, self.executor, self.path("sources").parent, fetch=fetch
            ),
            "corpus": lambda: stages.corpus_stage(self.recipe, self.path("sources"), self.executor),
            "plan": lambda: stages.plan_stage(self.recipe, self.checkpoint(), self.threads),
            "before": lambda: self._proof("before", self.checkpoint().path),
            "dataset": lambda: stages.dataset_stage(
                self.recipe, self.path("corpus"), self.checkpoint(), self.plan()["tokens"], self.executor
            ),
            "training": lambda: stages.training_stage(
                self.recipe, self.path("dataset"), self.checkpoint(), self.plan()
            ),
            "export": lambda: stages.export_stage(
                self.recipe, self.path("training"), self.checkpoint(), self.plan()["threads"]
            ),
            "after": lambda: self._proof("after", self.path("export") / "model"),
        }
        return make[name]()

    def _proof(self, name: str, model: Path) -> Stage:
        plan = self.plan()
        if name == "before":
            digest = stages.checkpoint_inputs(self.checkpoint())
        else:
            digest = stages.output_hash(self.path("export"))
        return stages.proof_stage(
            name,
            self.recipe,
            model,
            digest,
            self.path("corpus"),
            dtype=plan["dtype"],
            threads=plan["threads"],
        )

    def up_to(self, last: str) -> None:
        """Bring every stage up to and including `last` up to date."""
        check_name(self.recipe.model.name)
        replaced = False
        for number, name in enumerate(ORDER[: ORDER.index(last) + 1], 1):
            title = f"[{number}/{len(ORDER)}] {name}"
            if name == "model":
                checkpoint = self.checkpoint()
                say(
                    f"{title}: {checkpoint.name} ({checkpoint.source}, {checkpoint.license or 'licence unknown'})"
                )
            elif name == "report":
                say(title)
            else:
                record = bring(self.path(name), self.stage(name), title)
                self.records.append(record)
                replaced = replaced or self._replaces(record)
                # A mistake in the sources shows only here: until they are read, nothing of before is taken away.
                if replaced and (name == last or name not in _READING):
                    self._withdraw(() if name == "after" else RESULTS)
                    replaced = False
            if name == "export":
                self._publish()

    def dry_run(self, last: str = ORDER[-1]) -> list[dict[str, Any]]:
        """Every stage up to `last` with what a run would do; nothing is run or fetched."""
        rows: list[dict[str, Any]] = []
        known = True
        for name in ORDER[: ORDER.index(last) + 1]:
            if name in ("model", "report"):
                rows.append(
                    {"stage": name, "state": "looked up" if name == "model" else "written", "key": None}
                )
                if name == "model":
                    known = self._is_here() and known
                continue
            if not known:
                rows.append({"stage": name, "state": "runs after its inputs", "key": None})
                continue
            try:
                stage = self.stage(name, fetch=False)
            except RunError:
                if name != "sources":
                    raise
                rows.append({"stage": name, "state": "looked up, fetched and run", "key": None})
                known = False
                continue
            known = finished(self.path(name), stage) is not None
            state = (
                "up to date" if known else "goes on" if partial_folder(self.path(name)).exists() else "runs"
            )
            rows.append({"stage": name, "state": state, "key": stage.key})
        return rows

    def _is_here(self) -> bool:
        """Whether the model is on this machine; a name that is no model raises UserError."""
        try:
            self.checkpoint(allow_fetch=False)
        except RunError:
            return False
        return True

    def _replaces(self, record: dict[str, Any]) -> bool:
        """Whether a stage's output is another than that of the run whose results are shown."""
        shown = {row["stage"]: row["key"] for row in self._shown().get("stages", ())}
        return shown.get(record["stage"]) != record["key"] if shown else not record["cached"]

    def _withdraw(self, results: tuple[str, ...]) -> None:
        """Take away what an earlier run with other inputs has shown: it would pass for this one's result."""
        for name in (*results, *_REPORTS):
            withdraw(self.folder / name)

    def _publish(self) -> None:
        """Show the results under plain names beside `stages/`; those of an earlier recipe go."""
        for name in RESULTS:
            item = self.path("export") / name
            if item.exists():
                publish(item, self.folder / name)
            else:
                withdraw(self.folder / name)

    def finish(self) -> dict[str, Any]:
        """Run all stages, write report.json, report.html and run.json, and return the report.

        Raises:
            RunError: an exported file does not agree with what was trained; the report is written and says where.
        """
        from codekiln.pipeline.assemble import assemble
        from codekiln.report import write_report

        self.up_to("report")
        report = assemble(
            self.recipe,
            {name: self.path(name) for name in ORDER},
            self.checkpoint(),
            self.plan(),
            self.records,
        )
        write_report(self.folder, report)
        report = read_json(self.folder / "report.json")
        write_json(
            self.folder / "run.json",
            {key: report[key] for key in ("codekiln", "name", "model", "stages", "config", "environment")},
        )
        failed = [check["arrow"] for check in report["export"]["checks"] if not check["ok"]]
        if failed:
            raise RunError(f"export check failed: {failed[0]}; see {self.folder / 'report.html'}")
        return report
