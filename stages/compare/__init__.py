"""`branchmark compare`: two snapshots, what changed between them, and a verdict for each metric."""
