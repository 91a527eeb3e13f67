"""The documentation site: pages of the reference, which are generated from code, and llms.txt."""
