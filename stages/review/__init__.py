"""What people look at: pictures, scores, tables. It reads outputs only."""
