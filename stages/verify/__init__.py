"""`branchmark verify`: a revision's numbers, proved by doing them again."""
