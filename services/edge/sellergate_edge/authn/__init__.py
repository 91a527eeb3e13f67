"""Authentication of users: the `Authenticator` port, and JSON Web Tokens as its one adapter.

Another kind of credentials, such as API keys, is one more module here with a class that has the port's two methods, and one
line in `wiring` that passes it to `Dependencies`. The routes know the port alone.
"""
