"""Studies: a period replayed against what-ifs, and the smallest site that still serves it."""
