"""Stages on the workers of a Dask cluster, which share git and a DVC remote with this machine, and
nothing else (https://distributed.dask.org)."""

from __future__ import annotations

import logging
import operator
import os
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from stages.core import redact
from stages.core.errors import UserError, say
from stages.repro import children, epochs
from stages.repro.local import LOGS, PreloadedDvc
from stages.repro.plan import Plan
from stages.repro.schedule import Ended, Outcome
from stages.vcs import dvc, worktree
from stages.vcs.git import git

try:
    import cloudpickle
    from distributed import Client, KilledWorker, Security
    from distributed.versions import VersionMismatchWarning
    from toolz import pipe
except ModuleNotFoundError:
    raise UserError(
        "--cluster needs Dask, which is not installed; run `pip install 'branchmark[cluster]'`"
    ) from None

from stages.repro import worker
from stages.repro.worker import Job, Ready

TIMEOUT = 10  # seconds that the scheduler has to answer
RESULTS = (":!dvc.lock", ":!reports")  # an earlier call that was broken off has changed them


class Cluster:
    """The workers of a Dask scheduler.

    Args:
        address: of the scheduler, as Dask writes it (`tcp://head:8786`).
        libraries: the versions of those that compute.
        needs: every stage, with those that it takes outputs of.
        jobs: how many stages at most at once; by default as many as the workers have threads.

    Raises:
        UserError: there is no scheduler, or no worker that can do the job.
    """

    def __init__(
        self,
        address: str,
        libraries: dict[str, str],
        needs: dict[str, list[str]],
        jobs: int | None,
    ) -> None:
        branch, commit = worktree.branch(), git("rev-parse", "HEAD")
        self.job = Job(commit, branch, libraries, server())
        self.needs, self.jobs = needs, jobs
        self.here = {name for name, each in dvc.pipeline().items() if each.in_git}
        self.dvc = PreloadedDvc()
        for module in (worker, children, epochs, redact):
            cloudpickle.register_pickle_by_value(module)
        # What Dask says of lost connections and other versions is said below, of those that matter
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            # Dask's own client would hang, when it is closed, after what it refuses itself
            if address.startswith("tls://") and not certified():
                raise ValueError("this machine has no certificate")
            if encrypted() and not address.startswith("tls://"):
                raise ValueError("this machine's settings of Dask ask for TLS")
            self.client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--cluster {address}: no Dask scheduler answers ({redact.reason(error)}); with "
                "TLS its address begins with tls://, and it wants certificates: docs/cluster.md"
            ) from None
        self.client.register_plugin(Ready(self.job), self.job.name)
        why = self.client.run(worker.why, self.job.name)
        for worker_address, reason in why.items():
            if reason:
                say(f"worker {worker_address} refused: {reason}")
        if all(why.values()):
            self.close()
            number = f"none of its {len(why)} workers can be used" if why else "it has no workers"
            raise UserError(f"--cluster {address}: {number}; `dask worker {address}` starts one")
        self.ended_epochs: dict[str, int] = {}
        self.client.subscribe_topic(self.job.name, self.hear)
        self.executor = self.client.get_executor(pure=False, resources={self.job.name: 1})

    def slots(self) -> int:
        """Return the threads of the workers that can do the job; with none of them left a stage
        waits for the next one that joins."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        threads = sum(int(each["resources"].get(self.job.name, 0)) for each in workers)
        return max(1, min(threads, self.jobs or threads))

    def task(self, stage: str) -> Callable[[], Ended]:
        """Run a stage on a worker, from the results that are here by now; or leave it to `finish`,
        where outputs are in git, which workers and their remote do not have."""
        if stage.partition("@")[0] in self.here:
            return partial(pipe, (0, ""))
        # Packed here, unpacked by the worker: Dask's own pickling, and the scheduler's once more,
        # would send nothing but the function's name
        packed = cloudpickle.dumps(
            partial(worker.reproduce, self.job, stage, self.needs[stage], dvc.lock_text())
        )
        return partial(pipe, packed, pickle.loads, operator.call)

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Restore what the workers have pushed, all of it in one go."""
        outcomes = {stage: self.outcome(stage, future) for stage, future in ended.items()}
        well = [stage for stage, outcome in outcomes.items() if outcome.state != "failed"]
        return outcomes | self.restore(well)

    def outcome(self, stage: str, future: Future[Ended]) -> Outcome:
        """How a stage ended on its worker."""
        try:
            outcome = Outcome.of(*future.result())
        except KilledWorker as error:
            outcome = Outcome("failed", f"the workers that ran it died one by one: {error}")
        except CancelledError:
            raise UserError(
                "--cluster: the connection to the Dask scheduler is lost; what has ended is kept, "
                "and the same command goes on from there"
            ) from None
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"{stage}.log").write_text(outcome.log, encoding="utf-8")
        return outcome

    def restore(self, stages: list[str]) -> dict[str, Outcome]:
        """Take stages out of the remote by `dvc repro --pull`; those that fail."""
        if not stages:
            return {}
        code, log = self.dvc.reproduce(stages, ["--pull"], LOGS / "restore.log")
        if code and len(stages) > 1:  # DVC stops at the first that fails
            return {k: v for stage in stages for k, v in self.restore([stage]).items()}
        return {stages[0]: Outcome("failed", log)} if code else {}

    def hear(self, event: tuple[float, dict[str, int]]) -> None:
        """Called by Dask with what a worker says of its stage."""
        self.ended_epochs.update(event[1])

    def epochs(self, stage: str) -> int:
        """How many have ended by the last word."""
        return self.ended_epochs.get(stage, 0)

    def close(self) -> None:
        """End all that still runs, here and on the workers."""
        self.dvc.stop()
        with suppress(Exception):  # the scheduler may be gone
            self.client.unregister_worker_plugin(self.job.name)
        self.client.close(timeout=TIMEOUT)


def certified() -> bool:
    """Whether Dask's settings name this machine's certificate and key."""
    return bool(Security().get_connection_args("client").get("ssl_context"))


def encrypted() -> bool:
    """Whether Dask's settings refuse connections without TLS."""
    return bool(Security().require_encryption)


def server() -> str:
    """MLflow's server, if there is one that the workers can log to; without credentials, which
    each worker has in its own environment."""
    uri = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if uri.scheme not in ("http", "https"):
        return ""
    return uri._replace(netloc=uri.netloc.rpartition("@")[2]).geturl()


def check_shared() -> None:
    """Check that the workers can have what this machine has.

    Raises:
        UserError: something is not committed, not pushed, or there is no DVC remote.
    """
    if changed := git("status", "--porcelain", "--", ".", *RESULTS):
        files = ", ".join(line[2:].strip() for line in changed.splitlines()[:3])
        raise UserError(f"--cluster: workers take the commit; commit and push {files} first")
    if not git("for-each-ref", "--contains", "HEAD", "refs/remotes"):
        raise UserError("--cluster: workers take the commit, which is not pushed; `git push` first")
    try:
        dvc.ask("remote", "default")
    except UserError:
        raise UserError(
            "--cluster: workers share results by a DVC remote, and there is none; "
            "`dvc remote add --default storage URL` and commit .dvc/config"
        ) from None


def push_inputs(plan: Plan) -> None:
    """Push what the stages to run take from stages that are up to date.

    Raises:
        UserError: the DVC remote cannot be written.
    """
    if needed := {need for stage in plan.work for need in plan.needs[stage]} - plan.work.keys():
        dvc.ask("push", *sorted(needed))
