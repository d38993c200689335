// Search attributes where the operator's service answers, where it does not (Temporal Cloud), and where the store is full.
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../src/recording/search-attributes.ts';
import { namespaceProblem } from '../../../src/temporal/client.ts';
import {
  ensureSearchAttributes,
  missingSearchAttributes,
  searchAttributeCommands,
} from '../../../src/temporal/search-attributes.ts';

const log = pino({ level: 'silent' });
const OWN = { address: 'temporal:7233', namespace: 'reelkit' };
const CLOUD = { address: 'reelkit.a1b2c.tmprl.cloud:7233', namespace: 'reelkit.a1b2c' };

const grpc = (code: number, details: string) => Object.assign(new Error(details), { code, details, metadata: {} });

function clientOf({ list, add, has = [] }: { list?: Error; add?: Error; has?: string[] }) {
  const added: unknown[] = [];
  const client = {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflow: {
      async count(query: string) {
        const [name = ''] = query.split(' ');
        if (!has.includes(name)) throw grpc(3, `invalid query: invalid search attribute: ${name}`);
        return { count: 0 };
      },
    },
    connection: {
      operatorService: {
        async listSearchAttributes() {
          if (list) throw list;
          return { customAttributes: {} };
        },
        async addSearchAttributes(request: unknown) {
          if (add) throw add;
          added.push(request);
        },
      },
    },
  };
  return { client: client as unknown as Client, added };
}

describe('search attributes', () => {
  it('are made where that is allowed', async () => {
    const { client, added } = clientOf({});
    await ensureSearchAttributes(client, OWN, log);
    expect(added).toHaveLength(1);
  });

  it.each([7, 12, 16])(
    'are looked for by queries where they may not be listed (gRPC %i), as on Temporal Cloud',
    async (code) => {
      const all = Object.keys(SEARCH_ATTRIBUTES);
      const { client } = clientOf({ list: grpc(code, 'not here'), has: all });
      expect(await missingSearchAttributes(client, CLOUD.namespace)).toEqual({});
      await ensureSearchAttributes(client, CLOUD, log);
      const without = clientOf({
        list: grpc(code, 'not here'),
        has: all.filter((name) => name !== 'RecordingPriority'),
      });
      expect(await missingSearchAttributes(without.client, CLOUD.namespace)).toEqual({ RecordingPriority: 'Int' });
    },
  );

  it('are asked for again while Temporal is away or limits queries, and not taken for missing', async () => {
    const { client } = clientOf({ list: grpc(8, 'namespace rate limit exceeded') });
    await expect(ensureSearchAttributes(client, OWN, log)).rejects.toMatchObject({ code: 8 });
  });

  it('that may not be made are told with the command that works there', async () => {
    const denied = grpc(7, 'Request unauthorized.');
    await expect(ensureSearchAttributes(clientOf({ add: denied }).client, OWN, log)).rejects.toThrow(
      /may not create them .*\n {2}temporal operator search-attribute create --namespace reelkit --name RecordingStage --type Keyword/,
    );
    await expect(ensureSearchAttributes(clientOf({ list: denied, add: denied }).client, CLOUD, log)).rejects.toThrow(
      /\n {2}tcld namespace search-attributes add --namespace reelkit\.a1b2c --search-attribute "RecordingStage=Keyword"/,
    );
    expect(
      searchAttributeCommands({ address: 'eu-west-1.aws.api.temporal.io:7233', namespace: 'n' }, { A: 'Int' }),
    ).toMatch(/^ {2}tcld /);
  });

  it('that the store has no place for are told as that, not with a command that fails as well', async () => {
    const full = grpc(3, 'Unable to create search attributes: cannot have more than 3 search attribute of type Int.');
    const failure = ensureSearchAttributes(clientOf({ add: full }).client, OWN, log);
    await expect(failure).rejects.toThrow(
      /cannot have more than 3.*a namespace of its own, or remove what nobody uses/,
    );
    await expect(failure).rejects.not.toThrow(/search-attribute create/);
  });
});

describe('a namespace', () => {
  const answering = (capabilities: object | undefined) =>
    ({
      withDeadline: (_: number, call: () => Promise<unknown>) => call(),
      workflowService: { describeNamespace: async () => ({ namespaceInfo: { capabilities } }) },
    }) as unknown as Client;
  const settings = { ...OWN, connectionOptions: {} };

  it('takes Updates, or the setting and the version are named', async () => {
    expect(await namespaceProblem(answering({ syncUpdate: true }), settings)).toBeUndefined();
    for (const old of [undefined, {}, { syncUpdate: false }])
      expect(await namespaceProblem(answering(old), settings)).toMatch(
        /takes no Updates.*1\.25.*frontend\.enableUpdateWork/,
      );
  });
});
