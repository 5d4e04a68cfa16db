"""`branchmark compare`: what changed between two snapshots, and a verdict for each metric."""
