// amazon-sp-api of npm: orders with personal data, pages, a report, a feed, notifications.
// The package knows Amazon's hosts by heart; an agent is its own way to send the connections elsewhere.
const https = require('https');
const net = require('net');
const SellingPartner = require('amazon-sp-api');

const edge = new URL(process.env.SDK_URL);
const marketplace = 'ATVPDKIKX0DER';
const since = '2026-01-01T00:00:00Z';

class ToEdge extends https.Agent {
  createConnection(options, done) {
    const documents = process.env.SDK_DOCUMENTS_PORT;
    const login = options.host === 'api.amazon.com' && process.env.SDK_LOGIN_PORT;
    const port = options.host.endsWith('.amazon.com') ? login || edge.port : documents;
    return net.connect(port, '127.0.0.1', done && (() => done(null)));
  }
}

function client() {
  return new SellingPartner({
    region: 'na',
    refresh_token: process.env.SDK_HANDLE,
    credentials: {
      SELLING_PARTNER_APP_CLIENT_ID: process.env.SDK_CLIENT_ID,
      SELLING_PARTNER_APP_CLIENT_SECRET: process.env.SDK_CLIENT_SECRET
    },
    options: {https_proxy_agent: new ToEdge({keepAlive: false})}
  });
}

async function seen() {
  const sp = client();
  const pages = [];
  let query = {MarketplaceIds: [marketplace], CreatedAfter: since, MaxResultsPerPage: 7};
  let page;
  do {
    page = await sp.callAPI({operation: 'getOrders', endpoint: 'orders', query, options: {version: 'v0'}});
    pages.push(page.Orders.length);
    query = {...query, NextToken: page.NextToken};
  } while (page.NextToken);
  const orderId = page.Orders[0].AmazonOrderId;
  const rdt = await sp.callAPI({
    operation: 'createRestrictedDataToken',
    endpoint: 'tokens',
    body: {restrictedResources: [{method: 'GET', path: '/orders/v0/orders/{orderId}/address'}]}
  });
  const address = await sp.callAPI({
    operation: 'getOrderAddress',
    endpoint: 'orders',
    path: {orderId},
    restricted_data_token: rdt.restrictedDataToken,
    options: {version: 'v0'}
  });
  const report = await sp.downloadReport({
    body: {reportType: 'GET_MERCHANT_LISTINGS_ALL_DATA', marketplaceIds: [marketplace]},
    version: '2021-06-30',
    interval: 200
  });
  const contentType = 'application/json; charset=UTF-8';
  const place = await sp.callAPI({operation: 'createFeedDocument', endpoint: 'feeds', body: {contentType}});
  await sp.upload(place, {content: '{"messages": []}', contentType});
  const feed = await sp.callAPI({
    operation: 'createFeed',
    endpoint: 'feeds',
    body: {
      feedType: 'JSON_LISTINGS_FEED',
      marketplaceIds: [marketplace],
      inputFeedDocumentId: place.feedDocumentId
    }
  });
  const destinations = await sp.callAPI({operation: 'getDestinations', endpoint: 'notifications'});
  return {
    pages,
    city: address.ShippingAddress.City,
    rdt: rdt.restrictedDataToken,
    report_bytes: report.length,
    feed: Boolean(feed.feedId),
    destinations
  };
}

// Amazon's documents are at hosts of their own; the simulator's are at the host that the request named.
function local(place) {
  return {...place, url: place.url.replace(/^http:\/\/[^/:]+/, 'http://127.0.0.1')};
}

// The main calls, with the results that two ways must have in common.
async function compared() {
  const sp = client();
  const call = (operation, endpoint, more = {}) => sp.callAPI({operation, endpoint, ...more});
  const query = {MarketplaceIds: [marketplace], CreatedAfter: since, MaxResultsPerPage: 5};
  const {Orders: orders} = await call('getOrders', 'orders', {query, options: {version: 'v0'}});
  const path = {orderId: orders[0].AmazonOrderId};
  const items = await call('getOrderItems', 'orders', {path, options: {version: 'v0'}});
  const catalog = await call('searchCatalogItems', 'catalogItems', {
    query: {marketplaceIds: [marketplace], keywords: ['a b', 'c&d']},
    options: {version: '2022-04-01'}
  });
  const rdt = await call('createRestrictedDataToken', 'tokens', {
    body: {
      restrictedResources: [{method: 'GET', path: '/orders/v0/orders', dataElements: ['buyerInfo', 'shippingAddress']}]
    }
  });
  const restricted = await call('getOrders', 'orders', {
    query,
    restricted_data_token: rdt.restrictedDataToken,
    options: {version: 'v0'}
  });
  const {reportId} = await call('createReport', 'reports', {
    body: {reportType: 'GET_MERCHANT_LISTINGS_ALL_DATA', marketplaceIds: [marketplace]}
  });
  let report;
  do {
    report = await call('getReport', 'reports', {path: {reportId}});
  } while (['IN_QUEUE', 'IN_PROGRESS'].includes(report.processingStatus));
  const document = await call('getReportDocument', 'reports', {path: {reportDocumentId: report.reportDocumentId}});
  const contentType = 'application/json; charset=UTF-8';
  const place = await call('createFeedDocument', 'feeds', {body: {contentType}});
  await sp.upload(local(place), {content: '{"messages": []}', contentType});
  const feed = await call('createFeed', 'feeds', {
    body: {
      feedType: 'JSON_LISTINGS_FEED',
      marketplaceIds: [marketplace],
      inputFeedDocumentId: place.feedDocumentId
    }
  });
  const {feedType} = await call('getFeed', 'feeds', {path: {feedId: feed.feedId}});
  return {
    orders,
    items,
    catalog,
    restricted: restricted.Orders,
    status: report.processingStatus,
    document: await sp.download(local(document)),
    feed: [Object.keys(feed), feedType],
    missing: await code(() => call('getReport', 'reports', {path: {reportId: '1'}})),
    invalid: await code(() => call('createReport', 'reports', {body: {marketplaceIds: [marketplace]}}))
  };
}

async function code(promised) {
  try {
    await promised();
  } catch (error) {
    return [error.code, error.message];
  }
  return [];
}

async function refused() {
  try {
    await client().callAPI({operation: 'getMarketplaceParticipations', endpoint: 'sellers'});
  } catch (error) {
    return {code: error.code, message: error.message};
  }
  return {};
}

({seen, compared, refused})[process.argv[2]]()
  .then((result) => console.log(JSON.stringify(result)))
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
