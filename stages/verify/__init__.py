"""`branchmark verify`: prove a revision's numbers by producing them again."""
