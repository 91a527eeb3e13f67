"""Child processes of a local run: started, probed, supervised and stopped."""
