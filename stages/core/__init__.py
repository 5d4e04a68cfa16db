"""What every room stands on: errors as sentences, signals that wait, folders that appear whole."""
