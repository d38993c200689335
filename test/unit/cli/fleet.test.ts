// reelkit fleet: all fleets, or the one that is named.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';

const fleet = (name: string) => ({
  name,
  provider: 'process',
  minWorkers: 0,
  maxWorkers: 2,
  workers: [],
  demandCores: 0,
  capacityCores: 0,
  recordings: {},
  decisions: [{ pass: 1, atMs: 0, line: `${name} launches` }],
  bootsMs: name === 'main' ? [62_000, 130_000] : [],
  problems: [],
});

/** Runs a command against two fleets. @returns what it asked for and what it printed */
async function run(...args: string[]) {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const name = url.split('/')[3];
    response.end(JSON.stringify(name ? fleet(name) : { fleets: ['main', 'small'].map(fleet) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await buildProgram().parseAsync(['node', 'reelkit', ...args, '--url', url]);
  const printed = written.mock.calls.map(([text]) => String(text)).join('');
  written.mockRestore();
  return { asked, printed };
}

beforeEach(() => void vi.stubEnv('REELKIT_TOKEN', 'a-token'));
afterEach(() => void vi.unstubAllEnvs());

describe('reelkit fleet', () => {
  it('shows all fleets, or the one that is named', async () => {
    const all = await run('fleet');
    expect(all.asked).toEqual(['/v1/fleets']);
    expect(all.printed).toMatch(/main, 0 to 2 workers[\s\S]*small, 0 to 2 workers/);
    const one = await run('fleet', 'small');
    expect(one.asked).toEqual(['/v1/fleets/small']);
    expect(one.printed).not.toContain('main');
  });

  it('explains all fleets, each under its name, or the one that is named', async () => {
    expect((await run('fleet', 'explain')).printed).toMatch(/fleet main\n[\s\S]*main launches[\s\S]*fleet small\n/);
    const one = await run('fleet', 'explain', 'small');
    expect(one.asked).toEqual(['/v1/fleets/small']);
    expect(one.printed).toMatch(/small launches/);
  });

  it('shows how long the last workers took until they were ready, newest first', async () => {
    const { printed } = await run('fleet', 'boots');
    expect(printed).toMatch(/main +process +2m10s +1m2s 2m10s\n/);
    expect(printed).toMatch(/small +process +none seen\n/);
    expect(JSON.parse((await run('fleet', 'boots', 'main', '--json')).printed)).toEqual([62_000, 130_000]);
  });

  it('prints as JSON what was asked for', async () => {
    expect(JSON.parse((await run('fleet', '--json')).printed)).toMatchObject([{ name: 'main' }, { name: 'small' }]);
    expect(JSON.parse((await run('fleet', 'small', '--json')).printed)).toMatchObject({ name: 'small' });
    expect(JSON.parse((await run('fleet', 'explain', 'small', '--json')).printed)).toMatchObject([{ pass: 1 }]);
  });
});
