"""How the client library calls the services: requests, pages, hedging across replicas, and unknown outcomes."""
