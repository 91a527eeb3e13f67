"""The REST routes below /api, with their models and problem documents."""
