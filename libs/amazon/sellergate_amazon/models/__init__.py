"""Amazon's model files: read, turned into rows of the catalogue, and compared with an older catalogue."""
