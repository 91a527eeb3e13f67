"""The data of simulated sellers: stock, orders and countries."""
