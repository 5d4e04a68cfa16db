"""What trained networks are worth: scores, intervals over seeds, the notebook's claims."""
