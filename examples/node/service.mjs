// An internal service in Node.js: it prints where the account's seller may sell, by gRPC.
// Its settings are those of the Python client library: docs/quickstarts/service.md.
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const {env} = process;
const protos = env.SELLERGATE_PROTOS ?? fileURLToPath(new URL('../../protos', import.meta.url));
const definition = loader.loadSync('sellergate/gateway/v1/gateway_service.proto', {
  includeDirs: [protos],
  longs: String,
  enums: String,
});
const {GatewayService} = grpc.loadPackageDefinition(definition).sellergate.gateway.v1;

const identity = grpc.credentials.createSsl(
  readFileSync(env.SELLERGATE_TLS_CA_FILE),
  readFileSync(env.SELLERGATE_TLS_KEY_FILE),
  readFileSync(env.SELLERGATE_TLS_CERT_FILE),
);
// A server's certificate names its service, whatever the address.
const gateway = new GatewayService(env.SELLERGATE_GATEWAY_TARGET, identity, {
  'grpc.ssl_target_name_override': 'gateway.sellergate',
});

const request = {
  accountId: env.SELLERGATE_ACCOUNT_ID,
  method: 'GET',
  path: '/sellers/v1/marketplaceParticipations',
};
gateway.call(request, {deadline: Date.now() + 30_000}, (error, response) => {
  if (error) {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    process.exitCode = 1;
  } else {
    for (const {marketplace} of JSON.parse(response.body).payload) {
      console.log(marketplace.id, marketplace.countryCode);
    }
  }
  gateway.close();
});
