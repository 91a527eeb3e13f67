// An OpenID Connect provider for tests, of npm's oidc-provider: anyone signs in by any name. The console is its only client, a
// public one that must use PKCE.
const {default: Provider} = await import(process.env.OIDC_MODULE);
const {OIDC_PORT: port, OIDC_REDIRECT: redirect, OIDC_HOME: home} = process.env;

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{
    client_id: 'console',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [redirect],
    post_logout_redirect_uris: [home],
  }],
  pkce: {required: () => true},
  features: {devInteractions: {enabled: true}, rpInitiatedLogout: {enabled: true}},
});
provider.listen(Number(port), 'localhost');
