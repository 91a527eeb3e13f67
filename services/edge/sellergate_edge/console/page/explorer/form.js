// The form for one operation: path and query parameters, body, and the options of a call.
import {choice, element} from '../shell/elements.js';

const WEEK = 7 * 24 * 3600 * 1000;

/** Return the fields of an operation. `values()` returns what was filled in. */
export function operationForm(operation, account) {
  const parameters = parametersOf(operation);
  const fields = parameters.map((parameter) => ({...parameter, ...field(parameter, account)}));
  const optional = fields.filter((one) => !one.isRequired);
  const needed = fields.filter((one) => one.isRequired);
  const more = extraFields();
  const takesBody = !['GET', 'HEAD', 'DELETE'].includes(operation.method) || parameters.some((one) => one.place === 'body');
  const body = element('textarea', {id: 'call-body', rows: 8, spellcheck: 'false', autocomplete: 'off'});
  if (takesBody) body.value = '{\n  \n}';
  const sandbox = choice('Send to', 'call-sandbox', {'': 'as the account says', false: 'production', true: 'the sandbox'}, '');
  const wait = element('input', {id: 'call-wait', type: 'number', min: 0, max: 20, step: 1, value: 0, inputmode: 'numeric'});
  const place = element('div', {class: 'fields'},
    needed.map((one) => one.box),
    takesBody && element('div', {class: 'field'}, element('label', {for: 'call-body'}, 'Body (JSON)'), body),
    element('details', {class: 'more', open: optional.some((one) => one.input.value)},
      element('summary', {}, optional.length ? `Optional parameters (${optional.length})` : 'More parameters'),
      optional.map((one) => one.box), more.place),
    element('details', {class: 'more'}, element('summary', {}, 'Options of the call'),
      sandbox, element('div', {class: 'field'}, element('label', {for: 'call-wait'}, 'Seconds to wait for quota'), wait)));
  return {
    place,
    values: () => ({
      path: Object.fromEntries(fields.filter((one) => one.place === 'path').map((one) => [one.name, one.input.value.trim()])),
      query: [
        ...fields.filter((one) => one.place === 'query' && one.input.value.trim()).map((one) => [one.name, one.input.value.trim()]),
        ...more.values(),
      ],
      body: takesBody ? body.value.trim() : '',
      sandbox: sandbox.querySelector('select').value,
      wait: wait.value,
    }),
  };
}

/** Return the parameters of an operation: those of its path, and the others that the catalogue names. */
function parametersOf(operation) {
  const path = [...operation.path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({place: 'path', name, isRequired: true}));
  const others = (operation.parameters ?? []).filter((one) => one.place !== 'path' && one.place !== 'header');
  return [...path, ...others.map((one) => ({place: one.place, name: one.name, isRequired: one.required}))]
    .filter((one) => one.place !== 'body');
}

function field({name, place, isRequired}, account) {
  const id = `call-${place}-${name}`;
  const input = element('input', {id, autocomplete: 'off', spellcheck: 'false', required: isRequired, value: suggestion(name, isRequired, account)});
  const words = element('label', {for: id}, name, element('small', {class: 'soft'}, ` ${place}${isRequired ? '' : ', optional'}`));
  return {input, box: element('div', {class: 'field'}, words, input)};
}

/** Return a value that is known: the seller's ids and a recent time. */
function suggestion(name, isRequired, account) {
  const low = name.toLowerCase();
  if (low === 'sellerid') return account?.amazonSellerId ?? '';
  if (low === 'marketplaceids' && isRequired) return account?.marketplaceIds.join(',') ?? '';
  if (low === 'marketplaceid' && isRequired) return account?.marketplaceIds[0] ?? '';
  if (['createdafter', 'startdate', 'datastarttime'].includes(low)) return new Date(Date.now() - WEEK).toISOString().slice(0, 19) + 'Z';
  return '';
}

/** Return rows of names and values for parameters that the catalogue does not name. */
function extraFields() {
  const rows = element('div', {class: 'pairs'});
  const add = () => {
    const number = rows.children.length + 1;
    rows.append(element('div', {class: 'pair'},
      element('input', {'aria-label': `Name of query parameter ${number}`, placeholder: 'name', autocomplete: 'off'}),
      element('input', {'aria-label': `Value of query parameter ${number}`, placeholder: 'value', autocomplete: 'off'})));
  };
  return {
    place: element('div', {}, rows, element('button', {type: 'button', class: 'quiet small', onclick: add}, 'Add a query parameter')),
    values: () => [...rows.children].map((row) => [...row.querySelectorAll('input')].map((input) => input.value.trim())).filter(([name]) => name),
  };
}
