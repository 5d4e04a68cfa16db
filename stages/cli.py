"""The `branchmark` command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stages.core.errors import UserError, say, tell
from stages.core.signals import catch_termination

if TYPE_CHECKING:
    from stages.compare.comparison import Comparison, Row
    from stages.compare.report import PagesOf

GATE = (  # what stages.compare.gate decides
    "Exit with 1 if something is worse, 3 if results have equal fingerprints and other numbers, "
    "4 if trainings diverge, 5 if a variant is removed, 6 if something cannot be compared, 7 if a "
    "variant has fewer seeds. The base's settings count."
)
Base = Annotated[str | None, typer.Argument(help="Any revision; by default where HEAD left main.")]
Head = Annotated[str | None, typer.Argument(help="Any revision; by default the working tree.")]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Experiment tracking in which every number can be traced, reproduced and judged.",
)


def resolved(context: typer.Context, path: Path | None) -> Path | None:
    """Return a command-line path relative to the folder where the command was called. Every option
    that takes a path has this callback."""
    return path and context.obj / path


@app.callback()
def root(context: typer.Context) -> None:
    """Run in the project's root folder, whatever folder it was called in."""
    here = context.obj = Path.cwd()
    found = next((p for p in (here, *here.parents) if (p / "dvc.yaml").exists()), None)
    if found is None:
        if context.invoked_subcommand == "compare":  # a bare clone has no files; git is enough
            return
        raise UserError("no dvc.yaml in this folder or above it; run this inside the project")
    os.chdir(found)


@app.command()
def check(
    picture: Annotated[
        bool, typer.Option("--picture", help="Redraw the rooms in docs/architecture.md.")
    ] = False,
) -> None:
    """Check params.yaml, dvc.yaml, the imports of the code and the installed libraries."""
    from stages import params
    from stages.repro import picture as rooms
    from stages.repro import preflight

    settings = params.load()
    preflight.check(settings)
    if picture:
        print(f"{rooms.PAGE}: {'written' if rooms.update() else 'nothing to change'}")
    print(f"params.yaml, dvc.yaml and stages/ are sound: {len(settings.variants())} variants")


@app.command()
def repro(
    target: Annotated[
        list[str] | None, typer.Argument(help="Stages, as `dvc repro` takes them; all by default.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Stages at once; by default as many as fit."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Also run what is up to date.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start no more stages after a failure.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler."),
    ] = None,
) -> None:
    """Run what `dvc repro` would run, independent stages side by side, and `branchmark sync`."""
    from threading import Thread

    from stages.repro import run as repro
    from stages.sync.up_to_date import up_to_date

    if not up_to_date():  # this import takes as long as DVC's status, which is another process
        Thread(target=import_module, args=("stages.sync.command",), daemon=True).start()

    report = repro.repro(target or [], jobs, force, fail_fast, cluster)
    bring_in()
    repro.check(report)


def bring_in() -> None:
    """Run `branchmark sync`; only warn if it fails.

    If the last commit's results are missing but dvc.lock has new ones, as on a fresh clone on
    another kind of CPU, say what to do instead.
    """
    from stages.sync.up_to_date import up_to_date
    from stages.vcs import worktree

    if up_to_date():
        return
    from stages.sync.desired import Missing

    try:
        sync(quiet=True)
    except UserError as error:
        if isinstance(error, Missing) and worktree.changed("dvc.lock"):
            print("dvc.lock is new: commit it with reports/, and `branchmark sync` brings it in")
        else:
            say(f"warning: {error}")


@app.command()
def results() -> None:
    """Write the tables of docs/results.md from reports/."""
    from stages import params
    from stages.evaluation import tables

    changed = tables.update(tables.PAGE, tables.blocks(params.load()))
    print(f"{tables.PAGE}: {'written' if changed else 'nothing to change'}")


@app.command()
def compare(
    base: Base = None,
    head: Head = None,
    markdown: Annotated[
        Path | None, typer.Option(callback=resolved, help="Write a Markdown report here.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(callback=resolved, help="Write a page with charts here; it opens offline."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(callback=resolved, help="Write everything as JSON here.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            callback=resolved, help="Write curves.png and differences.png to this folder."
        ),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(callback=resolved, help="What `branchmark verify` wrote about HEAD."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every row with its interval.")] = False,
    tag: Annotated[
        bool,
        typer.Option("--tag", help="Tag HEAD's changed runs in MLflow with the overall lines."),
    ] = False,
    fail_on: Annotated[Literal["worse"] | None, typer.Option(help=GATE)] = None,
) -> None:
    """Judge HEAD against BASE: what changed, and is it better, worse or the same, or can seeds not
    tell yet?"""
    from rich.console import Console

    from stages.compare import changes, gate, snapshot
    from stages.compare import comparison as judge
    from stages.compare import report as views
    from stages.compare.proof import line
    from stages.core import text
    from stages.core.folders import write
    from stages.vcs import refs

    sides = (snapshot.snapshot(base or refs.merge_base(head)), snapshot.snapshot(head))
    found, changed = judge.compare(*sides), changes.changes(*sides)
    pages = pages_of(found)
    proved = line(proof, found.head.commit) if proof else ""
    console = Console(highlight=False)
    views.terminal(found, changed, console, pages, proved, every)
    if markdown:
        write(markdown, views.as_markdown(found, changed, pages, proved))
    if json:
        write(json, views.as_json(found, changed, pages, proved))
    if html:
        from stages.compare.page import page

        write(html, page(found, changed, pages, proved))
    if pictures:
        from stages.compare import pictures as drawn

        write(pictures / "curves.png", drawn.curves(found))
        write(pictures / "differences.png", drawn.differences(found))
    if tag:
        tag_runs(found)
    if fail_on and (reasons := gate.closed(found)):
        for _, sentence in reasons:
            say(f"closed: {text.line(sentence)}")
        raise typer.Exit(reasons[0][0])


@app.command()
def decide(
    base: Base = None,
    head: Head = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Only rows of this variant; may be named repeatedly.")
    ] = None,
    up_to: Annotated[int, typer.Option(min=3, help="How many seeds there may be.")] = 40,
    write: Annotated[
        bool, typer.Option("--write", help="Put the seeds into params.yaml of the working tree.")
    ] = False,
) -> None:
    """Train further seeds of both sides until undecided rows have a verdict.

    It RUNS the code of both revisions, in temporary work trees: name only revisions whose code you
    would run. Nothing is committed; finished seeds are kept, and not trained a second time.
    """
    from rich.console import Console

    from stages.compare import changes, snapshot
    from stages.compare import report as views
    from stages.decide import command, sides
    from stages.vcs import refs

    console = Console(highlight=False)
    both = (snapshot.snapshot(base or refs.merge_base(head)), snapshot.snapshot(head))
    for sentence in snapshot.not_run(both[1]):
        raise UserError(sentence)
    found, seeds = command.decide(*both, variant or [], up_to, console)
    views.terminal(found, changes.changes(*both), console, views.nowhere, "", True)
    console.print(command.METHOD.format(command.GROUP))
    if write and seeds:
        sides.set_seeds(Path(sides.PARAMS), seeds)
        print(f"params.yaml: {len(seeds)} seeds; `branchmark repro` takes over the finished ones")


def tag_runs(found: Comparison) -> None:
    """Tag the runs of the head's changed variants with the comparison's overall lines."""
    from stages.compare.report import tags
    from stages.core.redact import reason
    from stages.tracking import links

    try:
        keys = {(row.variant, row.fingerprints[1]) for row in found.rows}
        print(f"MLflow: {links.tag(keys, tags(found))} of {len(keys)} runs tagged")
    except Exception as error:
        say(f"warning: no run is tagged: {reason(error)}")


def pages_of(found: Comparison) -> PagesOf:
    """Return a function that links rows to MLflow; without a store, say so and link nothing."""
    from stages.compare.report import Pages, nowhere
    from stages.core.redact import reason
    from stages.tracking.links import links

    try:
        known = links((row.variant, each) for row in found.rows for each in row.fingerprints)
        why = "there is no MLflow store here"
    except Exception as error:
        known, why = None, reason(error)
    if known is None:
        say(f"without links: {why}")
        return nowhere

    def pages(row: Row) -> Pages:
        keys = [(row.variant, fingerprint) for fingerprint in row.fingerprints]
        base, head = map(known.run, keys)
        return Pages(base, head, known.together(keys))

    return pages


@app.command()
def verify(
    variant: Annotated[
        list[str] | None, typer.Argument(help="Variants, e.g. adam-0.3; all by default.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many of them, chosen by the commit's hash."),
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Only those that changed since the merge base with REV."),
    ] = None,
    rev: Annotated[str, typer.Option(metavar="REV", help="The revision to prove.")] = "HEAD",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Stages at once; by default as many as fit."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(callback=resolved, help="Write the proof as JSON here.")
    ] = None,
) -> None:
    """Prove numbers by doing them again: train, evaluate and compare every byte with git's.

    It RUNS the revision's own code, in a temporary clone, without DVC's cache and without MLflow:
    name only revisions whose code you would run.

    Exit code 0: all is proved. 1: something differs. 3: nothing differs, but something could not
    be tried.
    """
    from rich.console import Console

    from stages.core.folders import write
    from stages.verify import command, table
    from stages.verify.proof import CODES

    console = Console(highlight=False)
    try:
        asked = command.Asked(variant or [], sample, changed_since, rev, jobs)
        proof = command.verify(asked, console)
    except UserError as error:
        say(f"error: {error}")
        raise typer.Exit(CODES["could not be tried"]) from None
    table.show(proof, console)
    if json:
        write(json, proof.text())
    raise typer.Exit(proof.code)


@app.command()
def sync(
    revision: Annotated[
        list[str] | None,
        typer.Argument(help="Branches, tags or commits; without any, the current branch."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every local and remote branch and tag.")
    ] = False,
    pull: Annotated[
        bool, typer.Option("--pull", help="Fetch what is not in DVC's cache from its remote.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Say nothing where there is nothing to do.")
    ] = False,
    end: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="End this run: its process, elsewhere, is over."),
    ] = None,
) -> None:
    """Bring MLflow into agreement with git and DVC: restore runs, tag them with their branches."""
    if revision and everything:
        raise UserError("--all and revisions: use one or the other")
    # A training would not wait this long; this command has nothing else to do
    from stages import tracking
    from stages.sync import command as sync

    tracking.wait_longer()

    sync.sync(revision or [], everything, pull, dry_run, quiet, end or [])


@app.command()
def install(
    remove: Annotated[bool, typer.Option("--remove", help="Remove the hook.")] = False,
) -> None:
    """Put `branchmark sync` into git's post-commit hook, beside what others have there."""
    from stages.sync import hook

    print(hook.remove() if remove else hook.install())


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Where it listens, on this machine only.")] = 5000,
) -> None:
    """Serve MLflow's page of this project on 127.0.0.1, until Ctrl-C."""
    from stages.tracking import store
    from stages.tracking import views as view

    uri = store.tracking_uri()
    if uri.startswith("http"):
        raise UserError("MLFLOW_TRACKING_URI names a server: open its address in a browser")
    client, experiment = store.open_store()
    view.write(client, experiment)
    page = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    charts = "compareRunsMode=CHART"
    print(f"runs:     {page}&viewStateShareKey=variants")
    print(f"seeds:    {page}&viewStateShareKey=seeds")
    print(f"curves:   {page}&viewStateShareKey=variants&{charts}")
    print(f"branches: {page}&viewStateShareKey=branches&{charts}")
    # One worker and no job runners: the page serves one person and starts in seconds. Host checks
    # and the refusal of cross-origin posts keep MLflow's defaults.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # `ps` must not show its password
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(command[0], [*command, "--workers", "1"])


def main() -> None:
    """Run the command; report a user's mistake in one sentence and exit with 1."""
    catch_termination()
    tell(app)


if __name__ == "__main__":
    main()
