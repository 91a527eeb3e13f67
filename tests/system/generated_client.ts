// A program on a client that openapi-typescript made of the OpenAPI document; it compiles under `strict`.
import createClient from 'openapi-fetch';
import type {components, paths} from './edge.js';

type Problem = components['schemas']['Problem'];

const [edge, token, accountId, sellerId] = process.argv.slice(2) as [string, string, string, string];
const client = createClient<paths>({
  baseUrl: edge,
  headers: {Authorization: `Bearer ${token}`},
  querySerializer: {array: {style: 'form', explode: true}, object: {style: 'form', explode: true}},
});

function reasonOf(problem: Problem | undefined): {reason?: Problem['reason']; fields: string[]; retryAfter?: number | undefined} {
  return {
    ...(problem ? {reason: problem.reason} : {}),
    fields: problem?.violations?.map((violation) => violation.field) ?? [],
    retryAfter: problem?.retryAfter,
  };
}

const listed = await client.GET('/api/amazon/accounts', {
  params: {query: {amazonSellerId: sellerId, state: 'ACTIVE', label: ['tier=gold', 'team=a']}},
});
const orders = await client.GET('/api/amazon/accounts/{account_id}/sp-api/{path}', {
  params: {
    path: {account_id: accountId, path: 'orders/2026-01-01/orders'},
    query: {query: {createdAfter: '2026-01-01T00:00:00Z', marketplaceIds: 'ATVPDKIKX0DER'}},
  },
});
const found = orders.data as {orders: unknown[]} | undefined;
const document = await client.POST('/api/amazon/accounts/{account_id}/sp-api/{path}', {
  params: {path: {account_id: accountId, path: 'feeds/2021-06-30/documents'}},
  body: {contentType: 'text/plain; charset=UTF-8'},
});
const changed = await client.PATCH('/api/amazon/accounts/{account_id}', {
  params: {path: {account_id: accountId}},
  body: {labels: {tier: 'silver'}},
});
const labels: Record<string, string> | undefined = changed.data?.labels;
const invalid = await client.PATCH('/api/amazon/accounts/{account_id}', {
  params: {path: {account_id: accountId}},
  body: {marketplaceIds: ['A0']},
});
const missing = await client.GET('/api/amazon/accounts/{account_id}', {params: {path: {account_id: 'missing'}}});
const checked = await client.GET('/api/amazon/test/status', {params: {query: {amazonAccountId: accountId, call: false}}});
const outcome: components['schemas']['Outcome'] | undefined = checked.data?.stages[0]?.outcome;
const failed = await client.GET('/api/amazon/test/orders', {
  params: {query: {amazonAccountId: accountId, marketplaceId: 'A1PA6795UKMFR9'}},
});
const stages: components['schemas']['Stage'][] | null | undefined = failed.error?.stages;

console.log(
  JSON.stringify({
    ids: listed.data?.accounts.map((account) => account.id),
    orders: found?.orders.length,
    document: document.response.status,
    labels,
    invalid: reasonOf(invalid.error),
    missing: reasonOf(missing.error),
    outcome,
    stages: stages?.length ?? 0,
  })
);
