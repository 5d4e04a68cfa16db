"""`branchmark decide`: train further seeds of both sides until rows are decided."""
