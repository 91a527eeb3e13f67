"""Programs that make the same calls through different libraries; each prints its own measurement as JSON."""
