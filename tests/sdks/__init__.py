"""Programs that use the SDKs of others as their users do; each knows only URLs and credentials of ours, and prints what it saw."""
