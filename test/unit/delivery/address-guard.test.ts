// Where webhooks may go: judged by the address that a name has when the connection is made.
import type { LookupAddress, lookup } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { AddressDenied, createAddressGuard, isRange } from '../../../src/delivery/address-guard.ts';

function dnsOf(...addresses: string[]): typeof lookup {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return ((_: string, __: object, callback: (error: null, found: LookupAddress[]) => void) =>
    callback(null, found)) as unknown as typeof lookup;
}

function look(allow: string[], host: string, ...addresses: string[]): Promise<string[]> {
  const { lookup: guarded } = createAddressGuard(allow, dnsOf(...addresses));
  return new Promise((resolve, reject) =>
    guarded(host, { all: true }, (error, found) =>
      error ? reject(error) : resolve((found as LookupAddress[]).map(({ address }) => address)),
    ),
  );
}

const PRIVATE = [
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '2002:a00:1::1',
  'fe80::1',
  'fd00:ec2::254',
  'ff02::1',
];
const PUBLIC = ['93.184.216.34', '8.8.8.8', '2606:2800:220:1:248:1893:25c8:1946', '::ffff:8.8.8.8'];

describe('an address', () => {
  it.each(PRIVATE)('%s is denied, written out and behind a name', async (address) => {
    expect(createAddressGuard([]).denies(address.includes(':') ? `[${address}]` : address)).toBe(true);
    await expect(look([], 'hooks.example.com', address)).rejects.toThrow(AddressDenied);
  });

  it.each(PUBLIC)('%s is allowed', async (address) => {
    expect(createAddressGuard([]).denies(address)).toBe(false);
    expect(await look([], 'hooks.example.com', address)).toEqual([address]);
  });

  it.each([
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3'],
    ['fd00::/8', 'fd12::1'],
    ['127.0.0.0/8', '::ffff:127.0.0.1'],
  ])('that %s allows is allowed: %s', async (allow, address) => {
    expect(createAddressGuard([allow]).denies(address)).toBe(false);
    expect(await look([allow], 'hooks.internal', address)).toEqual([address]);
  });

  it.each([
    ['10.0.0.0/8', '192.168.0.1'],
    ['10.0.0.0/8', 'fd12::1'],
    ['fd00::/8', '10.0.0.1'],
  ])('that %s does not allow stays denied: %s', async (allow, address) => {
    await expect(look([allow], 'hooks.internal', address)).rejects.toThrow(AddressDenied);
  });
});

describe('a name', () => {
  it('with public and private addresses reaches the public ones only', async () => {
    expect(await look([], 'both.example.com', '10.0.0.1', '8.8.8.8', '::1')).toEqual(['8.8.8.8']);
  });

  it('that is allowed may be anywhere, and no other name with it', async () => {
    expect(await look(['hooks.internal'], 'Hooks.Internal', '10.0.0.1')).toEqual(['10.0.0.1']);
    await expect(look(['hooks.internal'], 'evil.hooks.internal', '10.0.0.1')).rejects.toThrow(AddressDenied);
  });

  it('of this machine is denied before it is looked up', () => {
    expect(createAddressGuard([]).denies('localhost')).toBe(true);
    expect(createAddressGuard([]).denies('a.localhost')).toBe(true);
    expect(createAddressGuard(['localhost']).denies('localhost')).toBe(false);
  });
});

it.each([
  ['10.0.0.0/8', true],
  ['::1', true],
  ['fd00::/8', true],
  ['10.0.0.0/33', false],
  ['127.1', false],
  ['hooks.internal', false],
])('%s is an address or a range: %s', (entry, is) => {
  expect(isRange(entry)).toBe(is);
});
