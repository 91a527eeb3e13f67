// Lists the user's sellers, and calls SP-API for one. Everything is a request to the edge with the user's JWT.
const form = document.querySelector('form');
const status = document.querySelector('[role=status]');
const list = document.querySelector('ul');

async function ask(path) {
  const edge = form.elements.edge.value.replace(/\/$/, '');
  const headers = {authorization: `Bearer ${form.elements.token.value}`};
  const response = await fetch(edge + path, {headers});
  const body = await response.json();
  if (!response.ok) {
    // A problem document: `reason` is for programs, `detail` for people.
    throw new Error(`${body.detail} (${body.reason})`);
  }
  return body;
}

async function shown(work) {
  status.textContent = 'One moment …';
  try {
    status.textContent = await work();
  } catch (error) {
    status.textContent = error.message;
  }
}

async function marketplaces(account) {
  const {payload} = await ask(`/api/amazon/accounts/${account.id}/sp-api/sellers/v1/marketplaceParticipations`);
  return `${account.amazonSellerId} sells in ${payload.map(({marketplace}) => marketplace.countryCode).join(', ')}`;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  shown(async () => {
    const {accounts} = await ask('/api/amazon/accounts');
    list.replaceChildren(...accounts.map((account) => {
      const [item, button] = ['li', 'button'].map((name) => document.createElement(name));
      button.textContent = 'Marketplaces';
      button.addEventListener('click', () => shown(() => marketplaces(account)));
      item.append(`${account.amazonSellerId} `, button);
      return item;
    }));
    return `Sellers: ${accounts.length}`;
  });
});
