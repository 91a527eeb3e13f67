"""Outgoing HTTP to the Internet: one proxy, one set of trusted authorities and one User-Agent for every client."""
