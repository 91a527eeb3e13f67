// The session of this tab: the user's token, in the tab's own storage, which ends with the tab.
import {claimsOf, looksRight, userOf} from './token.js';

const KEY = 'sellergate-token';
const END = 'sellergate-end-session';

/** The session. Another session never replaces it: it ends first. */
export const session = {
  get token() {
    return sessionStorage.getItem(KEY);
  },
  get user() {
    return userOf(this.token);
  },
  get isOpen() {
    const token = this.token;
    return token !== null && looksRight(token);
  },
  /** Milliseconds until the token expires. */
  get left() {
    const end = Number(claimsOf(this.token).exp);
    return Number.isFinite(end) ? end * 1000 - Date.now() : 0;
  },
  /** The address at which the browser ends the provider's session too; empty if there is none. */
  get endUrl() {
    return sessionStorage.getItem(END) ?? '';
  },
  begin(token, endUrl = '') {
    sessionStorage.setItem(KEY, token);
    sessionStorage.setItem(END, endUrl);
  },
  end() {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(END);
  },
};
