"""Show a proof on the terminal. Text from a branch is shown as plain text."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stages.core.text import plain
from stages.verify.proof import Proof

COLOURS = {"proved": "green", "differs": "red", "could not be tried": "yellow"}


def show(proof: Proof, console: Console) -> None:
    """Print the rows of a proof, and how many of them are proved."""
    if not proof.rows:
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in proof.rows:
        state = Text(row.state, COLOURS[row.state])
        table.add_row(Text(plain(row.variant)), state, Text(plain(row.detail)))
    console.print(table)
    count = f"{proof.proved} of {len(proof.rows)} proved"
    where = f"on {plain(proof.cpu)}, commit {proof.commit[:7]}: {proof.scope}"
    console.print(f"{count} {where}", markup=False)
