// Sign-in at an OpenID Connect provider. What this tab stores meanwhile binds the redirect to it: a redirect that another
// tab, browser or person began finds nothing here, so no link can sign a reader in.
import {askSignIn, Refusal} from '../api/edge.js';

const UNDER_WAY = 'sellergate-sign-in';

/** Send the browser to the provider. `arrival` is what the Appstore brought, and `path` the page to show, for afterwards. */
export async function beginAtProvider(arrival, path) {
  const begun = await askSignIn('POST', '/begin');
  sessionStorage.setItem(UNDER_WAY, JSON.stringify({state: begun.state, ticket: begun.ticket, arrival, path}));
  location.assign(begun.url);
}

/** Return the session that the redirect brings, once, with the arrival from before. Throws a Refusal. */
export async function completeAtProvider() {
  const query = new URLSearchParams(location.search);
  history.replaceState(null, '', '/');
  const kept = JSON.parse(sessionStorage.getItem(UNDER_WAY) ?? 'null');
  sessionStorage.removeItem(UNDER_WAY);
  if (!kept || !query.get('state') || kept.state !== query.get('state')) {
    throw new Refusal(0, {detail: 'This sign-in was not begun in this tab. Begin it here.'});
  }
  if (!query.get('code')) {
    throw new Refusal(0, {detail: `The provider did not sign you in (${query.get('error') ?? 'no code'}). Try again.`});
  }
  if (kept.path) history.replaceState(null, '', kept.path);
  const redirected = {ticket: kept.ticket, state: kept.state, code: query.get('code'), iss: query.get('iss') ?? ''};
  return {...await askSignIn('POST', '/complete', redirected), arrival: kept.arrival};
}
