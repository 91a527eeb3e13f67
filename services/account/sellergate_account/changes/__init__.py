"""How a change is carried out: again when another transaction was first, once where its request has a name, and announced."""
