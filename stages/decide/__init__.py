"""`branchmark decide`: further seeds of both sides, trained until rows say something."""
