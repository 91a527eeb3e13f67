"""Changes that the owner of copied values lists: for how long the copies of this process may be trusted."""
