"""Import what takes long, then fork for each program that a client asks for."""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import psutil

# As stages/training/arithmetic.py sets them before it imports TensorFlow
FIXED = {
    "ONEDNN_MAX_CPU_ISA": "AVX2", "TF_ENABLE_ONEDNN_OPTS": "1", "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip
MODULES = (
    "tensorflow", "keras", "alembic.command", "configobj", "dulwich.ignore", "dulwich.index",
    "dulwich.worktree", "dvc._debug", "dvc.analytics", "dvc.api", "dvc.cachemgr", "dvc.cli.parser",
    "dvc.commands.checkout", "dvc.commands.repro", "dvc.commands.status", "dvc.data_cloud",
    "dvc.dependency.param", "dvc.dirs", "dvc.repo.artifacts", "dvc.repo.datasets",
    "dvc.repo.experiments", "dvc.repo.graph", "dvc.repo.index", "dvc.repo.metrics",
    "dvc.repo.open_repo", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.reproduce",
    "dvc.repo.stage", "dvc.repo.trie", "dvc.stage.cache", "dvc.stage.run", "dvc.utils.strictyaml",
    "dvc_data.hashfile._progress", "dvc_data.hashfile.db.local", "dvc_data.hashfile.status",
    "dvc_data.index", "dvc_data.index.checkout", "filelock", "fsspec.implementations.memory",
    "graphlib", "matplotlib.backends.backend_agg", "matplotlib.figure", "matplotlib.style.core",
    "mlflow", "mlflow.pyfunc", "mlflow.store.artifact.local_artifact_repo",
    "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.tensorflow", "mlflow.tracing.processor.base_mlflow", "mlflow.tracing.processor.otel",
    "mlflow.tracking.client", "mlflow.utils.search_logged_model_utils", "networkx",
    "opentelemetry.sdk.metrics", "pandas", "PIL.BmpImagePlugin", "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.PpmImagePlugin", "PIL.WebPImagePlugin",
    "plotly.graph_objects", "pooch", "psutil", "pyarrow.pandas_compat", "pydantic", "pyparsing",
    "requests", "rich.json", "rich.live", "rich.table", "ruamel.yaml", "ruamel.yaml.mergevalue",
    "scipy.stats", "scmrepo.git", "sklearn.model_selection", "sqlalchemy.dialects.sqlite",
    "tensorflow.keras.models", "tensorflow.keras.saving", "typer", "typer._adapters",
)  # fmt: skip


def main(folder: str, owner: int) -> None:
    """Serve until the process `owner` ends, by which it need not be killed or told."""
    ended = os.pidfd_open(owner)
    before = dict(os.environ)
    os.environ.update(FIXED)
    gc.disable()
    for name in MODULES:
        with suppress(ModuleNotFoundError):  # another version: the program imports it itself
            import_module(name)
    gc.freeze()
    gc.set_threshold(100_000)  # programs of seconds have little garbage
    gc.enable()
    use_large_pages()
    os.environ.clear()
    os.environ.update(before)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/binding")
    listener.listen(64)
    os.rename(f"{folder}/binding", f"{folder}/socket")
    with selectors.DefaultSelector() as waiting:
        waiting.register(ended, selectors.EVENT_READ)
        waiting.register(listener, selectors.EVENT_READ, lambda: begin(listener, waiting))
        while True:
            for key, _ in waiting.select():
                if key.fileobj == ended:
                    shutil.rmtree(folder, ignore_errors=True)
                    return
                if key in waiting.get_map().values():  # else one before it has taken it back
                    key.data()


def use_large_pages() -> None:
    """Ask Linux for pages of 2 MB, because a fork copies an entry for each page: it and the end of
    the program take 18 ms then, with pages of 4 KB 34. Older kernels than 6.1 refuse."""
    collapse, madvise = 25, ctypes.CDLL(None).madvise
    for each in psutil.Process().memory_maps(grouped=False):
        if each.path in ("[anon]", "[heap]") and "w" in each.perms:
            first, end = (int(address, 16) for address in each.addr.split("-"))
            madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), collapse)


def begin(listener: socket.socket, waiting: selectors.BaseSelector) -> None:
    """Fork for a client's program, say its number, and wait for its end, or for the client's."""
    client, _ = listener.accept()
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    request = json.loads(client.makefile().readline())
    program = os.fork()
    if not program:
        client.close()
        listener.close()
        run(request, streams)
    for stream in streams:
        os.close(stream)
    with suppress(OSError):  # the program does it too: whoever is first
        os.setpgid(program, program)
    client.sendall(f"{program}\n".encode())
    ended = os.pidfd_open(program)

    def gone() -> None:
        """Without the client, the program is killed with all that it has started."""
        waiting.unregister(client)
        with suppress(ProcessLookupError):
            os.killpg(program, signal.SIGKILL)

    def tell() -> None:
        """Say how the program ended."""
        if file := request["env"].get("TESTS_SCHEDSTAT"):
            shutil.copyfile(f"/proc/{program}/schedstat", file)
        code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        waiting.unregister(ended)
        os.close(ended)
        with suppress(OSError):
            client.sendall(f"{code}\n".encode())
        with suppress(KeyError):
            waiting.unregister(client)
        client.close()

    waiting.register(client, selectors.EVENT_READ, gone)
    waiting.register(ended, selectors.EVENT_READ, tell)


def run(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the program; end as programs do, with what they have registered for their end, but leave
    the memory to the kernel: to free it would copy half a gigabyte first, in 0.4 s."""
    with suppress(OSError):
        os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else signal.SIG_DFL)
    if signal.SIGINT not in request["ignored"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # that of its own TMPDIR
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (until the program ends)
    if os.environ.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.executable = request["executable"]
    if "COVERAGE_PROCESS_CONFIG" in os.environ:  # `make coverage`: anew, for this folder's modules
        import_module("coverage").process_startup(force=True)
    code: object = 0
    try:
        execute(request["name"], request["arguments"])
    except SystemExit as end:
        code = end.code or 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for output in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            output.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def execute(name: str, arguments: list[str]) -> None:
    """Execute the program in this process."""
    if name == "python":
        flag, name, *arguments = arguments
        if flag == "-P":
            sys.argv = [name, *arguments]
            runpy.run_path(name, run_name="__main__")
            return
        sys.path.insert(0, os.getcwd())
        if flag == "-c":
            sys.argv = [flag, *arguments]
            exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})
            return
    if name == "branchmark":  # the script of this project's own environment, wherever it is called
        sys.path.insert(0, os.environ["TESTS_ROOT"])
        name = "stages.cli"
    Path("/proc/self/comm").write_text(name)  # by which tests find it: its command is the server's
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
