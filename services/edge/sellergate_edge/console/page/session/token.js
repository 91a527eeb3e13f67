// What a user's token says by itself. The edge decides whether it is genuine.

/** Return the claims of a token. Throws for a text that is no token. */
export function claimsOf(token) {
  const bytes = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
}

/** Return the user that a token names. */
export function userOf(token) {
  return String(claimsOf(token).sub ?? '');
}

/** Report whether a text can be a token: three parts, with claims in the second one that name a user. */
export function looksRight(token) {
  try {
    return token.split('.').length === 3 && userOf(token) !== '';
  } catch {
    return false;
  }
}
