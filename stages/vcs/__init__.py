"""git and DVC, each read and asked in one place."""
