// What is stored about a seller and its application.
import {card, element} from '../shell/elements.js';
import {applicationWords, authorizationLeft, dateWords, daysLeft, momentWords, ownNames} from '../shell/words.js';

/** Return a list of names and values; values that are null are left out. */
export function facts(values, id = null) {
  const rows = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element('dl', {class: 'facts', id}, rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

/** Return the card of a seller's facts. `draw` shows the account's user too, if `isOthers`. */
export function factsCard() {
  const list = element('div', {});
  return {
    place: card('Account', list),
    draw: (account, {isOthers = false} = {}) => list.replaceChildren(facts({
      'User': isOthers ? code(account.userId) : null,
      'Account ID': code(account.id),
      [isOthers ? 'The user’s names for it' : 'Your names for it']: namesOf(account),
      'Authorization': authorizationLeft(account),
      'Verified by Amazon': 'verifiedTime' in account ? verifiedWords(account) : null,
      'Marketplaces': account.marketplaceIds.length ? element('span', {class: 'codes'}, account.marketplaceIds.map(code)) : 'none',
      'Calls go to': account.sandbox ? 'the sandbox' : 'production',
      'Signing': {AUTO: 'only with a role', NONE: 'never', SIGV4: 'always'}[account.signingMode],
      'Signing role': account.iamRoleArn ? code(account.iamRoleArn) : 'none',
      'External ID for the role': account.iamRoleArn ? code(account.externalId) : null,
      'AWS region': account.iamRoleArn ? account.region : null,
      'Refresh token': account.refreshTokenSet ? 'stored' : 'none',
      'Last changed': momentWords(account.updateTime),
    }, 'facts')),
  };
}

/** Return the card of the application that a seller authorized. */
export function applicationCard() {
  const list = element('div', {});
  return {
    place: card('Application', list),
    draw: (account, application) => list.replaceChildren(application ? facts({
      'Name': applicationWords(application),
      'LWA client': `…${application.lwaClientIdHint}`,
      'Owner': application.shared ? 'shared by the operator' : 'you',
      'Client secret': application.secretExpireTime ? daysLeft(application.secretExpireTime) : 'end unknown',
      'Ends': application.secretExpireTime ? dateWords(application.secretExpireTime) : null,
      'Website consent': application.authorizesOnWebsite ? 'ready' : 'not set up: no redirect URI',
    }) : element('p', {class: 'soft'}, account.applicationId)),
  };
}

function namesOf(account) {
  const names = ownNames(account);
  return names.length ? element('span', {class: 'codes'}, names.map(code)) : null;
}

function verifiedWords({verifiedTime, verificationMethod}) {
  if (!verifiedTime) return 'not since the refresh token was stored';
  return `${momentWords(verifiedTime)}${verificationMethod === 'CONSENT' ? ', by the seller’s consent' : ''}`;
}

function code(words) {
  return element('code', {}, words);
}
