"""A folder for PYTHONPATH: what each process of a run loads at its start."""
