# `python`, `dvc` or `branchmark`, run by the server of tests.preloaded. It starts in milliseconds:
# no site-packages, nothing imported that is not needed.
import json
import os
import signal
import socket
import sys
import time

name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
own, address = os.path.dirname(sys.argv[0]), os.environ.get("TESTS_SERVER", "")
path = [each for each in os.environ.get("PATH", "").split(":") if each != own]


def itself(env: dict[str, str]) -> None:
    """Become the real program."""
    for folder in path:
        program = os.path.join(folder, name)
        if os.access(program, os.X_OK):
            os.execve(program, [program, *arguments], env)
    sys.exit(f"{name}: not found")


alone = {key: value for key, value in os.environ.items() if key != "TESTS_SERVER"}
if not address:
    itself(alone)
if name == "dvc" and {"--force", "-f"} & {*arguments} and "BRANCHMARK_FORCE" not in os.environ:
    itself(alone | {"PATH": ":".join(path)})  # what it runs looks at the programs above
flag, program = [*arguments, "", ""][:2]
code_here = os.environ.get("PYTHONPATH") == os.getcwd()  # as `python -m` has it anyway
known = {
    "-m": program.startswith(("stages.", "tests.", "dvc")),
    "-P": program.endswith("/stages/repro/preloaded.py"),
    "-c": code_here,
}
if name == "python" and not known.get(flag):
    itself(dict(os.environ))
if os.environ.get("PYTHONPATH", "") != os.environ.get("TESTS_PYTHONPATH", "") and not code_here:
    itself(alone | {"PATH": ":".join(path)})

server = socket.socket(socket.AF_UNIX)
for _ in range(600):
    try:
        server.connect(address)
        break
    except FileNotFoundError:  # it still imports
        time.sleep(0.1)
    except ConnectionRefusedError:
        itself(alone | {"PATH": ":".join(path)})  # it is gone
else:
    itself(alone | {"PATH": ":".join(path)})
numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ignored = [int(number) for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
request = {
    "name": name,
    "arguments": arguments,
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "ignored": ignored,
    "executable": os.path.join(own, "python"),
}
socket.send_fds(server, [b"!"], [0, 1, 2])
server.sendall(json.dumps(request).encode() + b"\n")
answers = server.makefile()
process = int(answers.readline())


def tell(number: int, _: object) -> None:
    """Pass a signal on; Ctrl-C goes to a whole group, so also to what the program started."""
    (os.killpg if number == signal.SIGINT else os.kill)(process, number)


for number in numbers:
    if number not in ignored:
        signal.signal(number, tell)
code = int(answers.readline() or -9)
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
