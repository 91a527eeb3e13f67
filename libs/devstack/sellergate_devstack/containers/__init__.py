"""The one-shot containers of docker-compose.yml."""
