"""The account service: seller accounts, applications and drop-in clients, with their secrets sealed."""
