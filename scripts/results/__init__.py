"""The page of the results of the long checks."""
