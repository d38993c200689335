// The metadata service of one instance, version 2: nothing without a token, and 404 for what is not so.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeImds {
  url: string;
  /** By path under meta-data; undefined: there is none. */
  values: Record<string, string | undefined>;
  close(): Promise<void>;
}

export async function startImds(instanceId: string): Promise<FakeImds> {
  const values: FakeImds['values'] = {
    'instance-id': instanceId,
    'placement/region': 'eu-central-1',
    'autoscaling/target-lifecycle-state': 'InService',
  };
  const server = createServer(({ method, url = '', headers }, response) => {
    if (method === 'PUT' && url === '/latest/api/token') return response.end('token');
    if (headers['x-aws-ec2-metadata-token'] !== 'token') return response.writeHead(401).end();
    const value = values[url.replace('/latest/meta-data/', '')];
    return response.writeHead(value === undefined ? 404 : 200).end(value);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    values,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
