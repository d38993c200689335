// docs/aws.md names only parameters and outputs that the templates have, and its worked example is what admission and arithmetic give.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_COSTS, MAX_CPU_UTILIZATION } from '../../../src/fleet/cost.ts';
import { actionsOf, root, statementsOf, template, templates } from '../../support/aws-templates.ts';

const docs = readFileSync(join(root, 'docs/aws.md'), 'utf8');
/** ROOMS at once for an hour; workers boot and cool down besides. */
const ROOMS = 200;
const PAID_HOURS = 68 / 60;

/** An idle worker takes any one that fits; a busy one fills up to its share. */
function roomsOn(cores: number): number {
  const cost = DEFAULT_COSTS.roomComposite;
  return Math.max(cores >= cost ? 1 : 0, Math.floor((cores * MAX_CPU_UTILIZATION) / cost));
}

const rows = docs
  .split('\n')
  .filter((line) => /^\| \d+ vCPU/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(2, -1)
      .map((cell) => Number(cell.trim().replace(',', ''))),
  )
  .map((cells, index) => ({ cores: [4, 8, 16, 32][index] ?? 0, cells }));

describe('the worked example of docs/aws.md', () => {
  test('has four sizes', () => expect(rows).toHaveLength(4));

  test.each(rows)('on $cores vCPU is what admission and the prices give', ({ cores, cells }) => {
    const [rooms, workers, total, price = 0, burst, onFargate = 0, fargateBurst] = cells;
    const needed = Math.ceil(ROOMS / roomsOn(cores));
    expect([rooms, workers, total]).toEqual([roomsOn(cores), needed, needed * cores]);
    expect(price).toBeCloseTo((0.1785 * cores) / 4, 4);
    expect(burst).toBeCloseTo(needed * price * PAID_HOURS, 2);
    // Of the largest size there is none in the template.
    if (Number.isNaN(onFargate)) return expect(cores).toBe(32);
    const fargatePrice = cores * 0.04048 + 2 * cores * 0.004445;
    expect(onFargate).toBeCloseTo(fargatePrice, 4);
    expect(fargateBurst).toBeCloseTo(needed * fargatePrice * PAID_HOURS, 2);
  });
});

describe('docs/aws.md', () => {
  const known = new Set(
    templates.flatMap(({ Parameters, Outputs, Resources }) => [Parameters, Outputs, Resources].flatMap(Object.keys)),
  );
  const commands = [...docs.matchAll(/\b([A-Z]\w+)=(?="?\$|\w)|\$\(out (\w+)\)|OutputKey=='(\w+)'/g)];
  const named = commands.map(([, parameter, output, key]) => parameter ?? output ?? key ?? '');
  const prose = [...docs.matchAll(/`((?:[A-Z][a-z0-9]+){2,})`/g)].map(([, name]) => name ?? '');
  /** Words of AWS's own API that look alike. */
  const others = [
    'CannotPullContainerError',
    'ResourceInitializationError',
    'ConflictException',
    'LaunchInstances',
    'TerminateInstanceInAutoScalingGroup',
  ];
  const names = [...new Set([...named, ...prose])].filter(
    (name) => /[a-z]/.test(name) && !/^Name|^Values/.test(name) && !others.includes(name),
  );

  test('names many', () => expect(names.length).toBeGreaterThan(15));
  test.each(names)('%s is in a template', (name) => expect(known).toContain(name));

  test('explains every call that Reelkit may send', () => {
    const of = template('ecs-ec2');
    const policy = { ...of, Resources: { ReelkitPolicy: of.Resources.ReelkitPolicy ?? { Type: '', Properties: {} } } };
    const allowed = statementsOf(policy).flatMap(actionsOf);
    expect(allowed.length).toBeGreaterThan(8);
    for (const action of allowed) expect(docs).toContain(`\`${action}\``);
  });
});
