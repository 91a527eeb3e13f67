"""The keys that seal secrets: read from the settings, and opened by AWS KMS where they are wrapped."""
