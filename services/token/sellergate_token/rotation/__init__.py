"""Rotations of client secrets and refresh tokens, received by webhook or from Amazon's SQS queue."""
