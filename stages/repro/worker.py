"""Run stages on a worker for `branchmark repro --cluster`.

The head sends this whole module, so that workers run the head's version of it, whatever commit
their own clone is at. So it imports only `children`, `epochs` and `redact` of this project, which
the head sends too.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from distributed import Worker, WorkerPlugin, get_worker

from stages.core.redact import redacted
from stages.repro import epochs
from stages.repro.children import Children


@dataclass(frozen=True)
class Job:
    """What a worker must know about a `branchmark repro`.

    Attributes:
        commit: the head's.
        branch: the head's; "" on a detached HEAD.
        libraries: the versions of those that compute.
        tracking: the URL of MLflow's server; "" if workers can reach none.
    """

    commit: str
    branch: str
    libraries: dict[str, str]
    tracking: str

    @property
    def name(self) -> str:
        """The name of the plugin, and of the resource that usable workers have."""
        return f"branchmark-{self.commit[:12]}"


class Ready(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """Checks whether a worker can do the job, even one that joins later. If so, it gets one unit of
    a resource per thread, and each stage takes one."""

    def __init__(self, job: Job) -> None:
        self.job = job

    async def setup(self, worker: Worker) -> None:
        """Check this worker; Dask calls this when the job arrives."""
        self.running: dict[str, Children] = {}
        self.obstacle = await asyncio.to_thread(obstacle, self.job)
        if self.obstacle:
            logging.getLogger("distributed.worker").warning("refused: %s", self.obstacle)
        threads = 0 if self.obstacle else worker.state.nthreads
        await worker.set_resources(**{self.job.name: threads})

    async def teardown(self, worker: Worker) -> None:
        """End all stages; Dask calls this when the job or the worker ends."""
        for children in list(self.running.values()):
            await asyncio.to_thread(children.stop)

    def transition(self, key: str, start: str, finish: str, **_: object) -> None:
        """End a stage that nobody waits for any more; Dask calls this. It announces a running task
        as "released", although the state that follows is called "cancelled"."""
        if finish == "released" and (children := self.running.get(key)):
            Thread(target=children.stop).start()


def obstacle(job: Job) -> str:
    """Return why this worker cannot do the job; "" if it can."""
    for name, wanted in job.libraries.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "not installed"
        if installed != wanted:
            return (
                f"{name} {installed}, not {wanted}: another fingerprint; run `make install` there"
            )
    if not Path(".dvc").is_dir():
        return f"started in {Path.cwd()}, which is not a clone of this project's root folder"
    wanted = f"{job.commit}^{{commit}}"
    if git("cat-file", "-e", wanted) and (git("fetch", "--quiet") or git("cat-file", "-e", wanted)):
        return f"its clone cannot fetch commit {job.commit[:7]}; see `git remote -v` there"
    return ""


def git(*arguments: str) -> int:
    """Run git; return its exit code."""
    command = ["git", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode


def why(name: str, dask_worker: Worker) -> str:
    """Return why this worker cannot do the job of that name; "" if it can."""
    plugin = dask_worker.plugins.get(name)
    return plugin.obstacle if plugin else "it has not been checked yet"


def reproduce(job: Job, stage: str, needs: list[str], lock: str) -> tuple[int, str]:
    """Run one stage in a fresh clone and push its outputs.

    Args:
        needs: the stages whose outputs it takes.
        lock: the text of the head's dvc.lock, with their results.

    Returns:
        The exit code and the redacted output.
    """
    worker = get_worker()
    running, key = worker.plugins[job.name].running, worker.get_current_task()
    children = running[key] = Children()
    over = Event()
    # The outputs and the run-cache stay on the worker even if pushing them fails
    cache = Path(".dvc/cache").resolve()
    cache.mkdir(exist_ok=True)
    env = {"PATH": f"{Path(sys.executable).parent}:{environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    if job.tracking:
        env["MLFLOW_TRACKING_URI"] = job.tracking
    try:
        with TemporaryDirectory(dir=worker.local_directory, ignore_cleanup_errors=True) as folder:
            root, log = Path(folder, "project"), Path(folder, "log")
            Thread(target=report, args=(worker, job.name, stage, root, over), daemon=True).start()
            branch = ["-B", job.branch] if job.branch else ["--detach"]
            dvc = [sys.executable, "-m", "dvc"]
            clone = ["git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(root)]
            checkout = ["git", "-C", str(root), "checkout", "--quiet", *branch, job.commit]
            code = children.run(clone, log) or children.run(checkout, log)
            if not code:
                (root / ".dvc/cache").symlink_to(cache)
                if (own := Path(".dvc/config.local")).exists():
                    shutil.copy(own, root / own)  # the remote's credentials on this machine
                if lock:
                    (root / "dvc.lock").write_text(lock, encoding="utf-8")
            if not code and needs:
                code = children.run([*dvc, "pull", *needs], log, root, **env)
            if not code:
                repro = [*dvc, "repro", "--pull", "--single-item", stage]
                code = children.run(repro, log, root, **env)
            if not code:
                push = [*dvc, "push", "--run-cache", stage]
                code = children.run(push, log, root, **env)
            # Redacted here: the head does not know this machine's credentials
            return code, redacted(log.read_text(encoding="utf-8", errors="replace"))
    finally:
        over.set()
        del running[key]


def report(worker: Worker, topic: str, stage: str, root: Path, over: Event) -> None:
    """Tell the head each second how many epochs have ended, until `over`."""
    told = 0
    while not over.wait(1):
        if (now := epochs.ended(stage, root)) > told:
            worker.log_event(topic, {stage: now})
            told = now
