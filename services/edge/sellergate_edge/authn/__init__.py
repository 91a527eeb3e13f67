"""Authentication of users: the `Authenticator` port, and JSON Web Tokens as its one adapter.

Another kind of credentials, such as API keys, is one more module here (`api_keys.py`) with a class that has the port's two
methods. `wiring` passes it to `Dependencies`; beside the JWT adapter, in an authenticator that calls the first one whose
`has_credentials` is true (sign-in keeps the JWT one). Its header is added to the OpenAPI security of `dependencies.py` and, if
it has a name of its own, to the CORS headers of `middleware.py`. The routes use only the port.
"""
