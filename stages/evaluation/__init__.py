"""Judge trained networks: scores, intervals over seeds, the notebook's claims."""
