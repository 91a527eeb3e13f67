"""The routes of the REST API below /api, with their models and problem documents."""
