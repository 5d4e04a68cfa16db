"""Outputs of stages: the same bytes for the same inputs, whole or not there."""
