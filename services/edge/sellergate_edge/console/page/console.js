// The console: what one user sees of the sellers. It holds the user's token in this tab and never anything of Amazon's.
import {begin} from './session/page.js';
import {at} from './shell/elements.js';
import {tell} from './shell/notices.js';
import {start} from './shell/router.js';

for (const button of document.querySelectorAll('[data-closes]')) {
  button.addEventListener('click', () => button.closest('dialog').close());
}
at('notice-close').addEventListener('click', () => tell(''));
at('skip').addEventListener('click', (event) => {
  event.preventDefault();
  at('main').focus();
});
start();
await begin();
