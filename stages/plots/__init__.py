"""Draw every picture. No training ever reads one."""
