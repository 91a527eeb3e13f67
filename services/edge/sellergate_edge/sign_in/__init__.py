"""Sign-in to the console by OpenID Connect: authorization code with PKCE, against any provider."""
