"""The network, and its training an epoch at a time."""
