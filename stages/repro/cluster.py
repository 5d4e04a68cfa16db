"""Run stages on the workers of a Dask cluster (https://distributed.dask.org), which share only git
and a DVC remote with this machine."""

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

TIMEOUT = 10  # seconds for the scheduler to answer
RESULTS = (":!dvc.lock", ":!reports")  # an interrupted earlier call may have changed them


class Cluster:
    """The workers of a Dask scheduler.

    Args:
        address: the scheduler's, as Dask writes it (`tcp://head:8786`).
        libraries: the versions of those that compute.
        needs: every stage, with those whose outputs it takes.
        jobs: the most stages at once; by default as many as the workers have threads.

    Raises:
        UserError: no scheduler answers, or no worker can do the job.
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
        # Lost connections and other versions that matter are reported below, not by Dask
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            # If Dask's client refused these itself, it would hang when it is closed
            if address.startswith("tls://") and not certified():
                raise ValueError("this machine has no certificate")
            if encrypted() and not address.startswith("tls://"):
                raise ValueError("this machine's settings of Dask ask for TLS")
            self.client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--cluster {address}: no Dask scheduler answers ({redact.reason(error)}); with "
                "TLS its address begins with tls://, and it needs certificates: docs/cluster.md"
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
        """Return the usable workers' threads, at most `jobs`; at least 1, so that a stage waits for
        the next worker if none is left."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        threads = sum(int(each["resources"].get(self.job.name, 0)) for each in workers)
        return max(1, min(threads, self.jobs or threads))

    def task(self, stage: str) -> Callable[[], Ended]:
        """Return a call that runs a stage on a worker, from the results that are here by now. If
        git keeps an output, which workers and the remote do not have, leave it to `finish`."""
        if stage.partition("@")[0] in self.here:
            return partial(pipe, (0, ""))
        # Pickled here, unpickled by the worker: Dask's own pickling, and the scheduler's after it,
        # would send only the function's name
        packed = cloudpickle.dumps(
            partial(worker.reproduce, self.job, stage, self.needs[stage], dvc.lock_text())
        )
        return partial(pipe, packed, pickle.loads, operator.call)

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Restore all that the workers pushed in one go; return how each stage ended."""
        outcomes = {stage: self.outcome(stage, future) for stage, future in ended.items()}
        well = [stage for stage, outcome in outcomes.items() if outcome.state != "failed"]
        return outcomes | self.restore(well)

    def outcome(self, stage: str, future: Future[Ended]) -> Outcome:
        """Return how a stage ended on its worker; raise UserError if the scheduler is lost."""
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
        """Restore stages by `dvc repro --pull`; return those that fail."""
        if not stages:
            return {}
        code, log = self.dvc.reproduce(stages, ["--pull"], LOGS / "restore.log")
        if code and len(stages) > 1:  # DVC stops at the first that fails
            return {k: v for stage in stages for k, v in self.restore([stage]).items()}
        return {stages[0]: Outcome("failed", log)} if code else {}

    def hear(self, event: tuple[float, dict[str, int]]) -> None:
        """Note a worker's report of ended epochs; Dask calls this."""
        self.ended_epochs.update(event[1])

    def epochs(self, stage: str) -> int:
        """Return how many epochs had ended by the last report."""
        return self.ended_epochs.get(stage, 0)

    def close(self) -> None:
        """End all that still runs, here and on the workers."""
        self.dvc.stop()
        with suppress(Exception):  # the scheduler may be gone
            self.client.unregister_worker_plugin(self.job.name)
        self.client.close(timeout=TIMEOUT)


def certified() -> bool:
    """Return whether Dask's settings name this machine's certificate and key."""
    return bool(Security().get_connection_args("client").get("ssl_context"))


def encrypted() -> bool:
    """Return whether Dask's settings refuse connections without TLS."""
    return bool(Security().require_encryption)


def server() -> str:
    """Return the URL of an MLflow server that workers can log to, or ""; without credentials,
    which each worker has in its environment."""
    uri = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if uri.scheme not in ("http", "https"):
        return ""
    return uri._replace(netloc=uri.netloc.rpartition("@")[2]).geturl()


def check_shared() -> None:
    """Check that the workers can get what this machine has.

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
    """Push the outputs of up-to-date stages that the stages to run need.

    Raises:
        UserError: `dvc push` fails.
    """
    if needed := {need for stage in plan.work for need in plan.needs[stage]} - plan.work.keys():
        dvc.ask("push", *sorted(needed))
