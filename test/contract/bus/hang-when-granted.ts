// A process of Reelkit's that is granted requests and then neither answers nor ends: it waits to be killed.
// usage: node hang-when-granted.ts <redis address>
import { createRedisTransport } from '../../../src/bus/redis.ts';
import { createRpcServer } from '../../../src/bus/server.ts';

const [address = ''] = process.argv.slice(2);
const server = createRpcServer(await createRedisTransport({ address }, { name: 'peer' }));
await server.serve({
  service: 'EgressInternal',
  method: 'StartEgress',
  affinity: () => 1,
  handle: ({ length }) => {
    process.stdout.write(`granted ${length} bytes\n`);
    return new Promise(() => undefined);
  },
});
process.stdout.write(`ready ${server.serverId}\n`);
