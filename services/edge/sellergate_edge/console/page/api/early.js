// The first page of sellers, requested while the other modules are still loading. This module imports nothing, so that it runs first.

/** Sellers of the first page, which is small, so that the first rows are shown soon. */
export const FIRST_PAGE = 50;
const URL = `/api/amazon/accounts?pageSize=${FIRST_PAGE}`;
const token = sessionStorage.getItem('sellergate-token');
const isList = ['/', '/console/sellers'].includes(location.pathname) && !location.hash;
let early = null;

if (token && isList) {
  early = {token, response: fetch(URL, {headers: {Authorization: `Bearer ${token}`}, signal: AbortSignal.timeout(35_000)})};
  early.response.catch(() => {});
}

/** Return the response that is under way for a request, once; null if there is none. */
export function takeEarly(method, url, authorization) {
  if (early === null || method !== 'GET' || url !== URL) return null;
  const {token: asked, response} = early;
  early = null;
  return authorization === `Bearer ${asked}` ? response : null;
}
