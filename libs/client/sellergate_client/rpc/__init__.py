"""The client library's calls of the services: requests, pages, hedging across replicas, and unknown outcomes."""
