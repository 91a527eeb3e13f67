"""Flights: fetches that callers share, within a process and in the cluster, where a lease elects the fetching replica."""
