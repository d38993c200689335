// What AWS takes and answers, by its own service models (those of botocore): requests are read and checked by them, answers checked
// and written. So the tests' AWS cannot share our mistakes about names, types, limits and patterns.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { installOnce } from '../../../src/dev/components/store.ts';

const BOTOCORE = 'botocore==1.44.8';
const VERSIONS = { ecs: '2014-11-13', autoscaling: '2011-01-01', ec2: '2016-11-15' } as const;
export type ServiceName = keyof typeof VERSIONS;
export const SERVICES = Object.keys(VERSIONS) as ServiceName[];

export interface Shape {
  type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'double'
    | 'float'
    | 'boolean'
    | 'timestamp'
    | 'blob';
  members?: Record<string, Member>;
  required?: string[];
  member?: Member;
  key?: Member;
  value?: Member;
  enum?: string[];
  pattern?: string;
  min?: number;
  max?: number;
}

export interface Member {
  shape: string;
  locationName?: string;
  queryName?: string;
}

export interface Model {
  service: ServiceName;
  version: string;
  namespace: string;
  protocol: 'json' | 'query' | 'ec2';
  operations: Record<string, { input?: Member; output?: Member & { resultWrapper?: string } }>;
  shapes: Record<string, Shape>;
}

let models: Promise<Record<ServiceName, Model>> | undefined;

export function loadModels(): Promise<Record<ServiceName, Model>> {
  models ??= readModels();
  return models;
}

async function readModels(): Promise<Record<ServiceName, Model>> {
  const fill = async (folder: string) =>
    void (await execa('python3', ['-c', EXTRACT, folder, BOTOCORE, JSON.stringify(VERSIONS)]));
  const stamp = await installOnce(BOTOCORE.replace('==', '-'), 'models', fill, () => undefined);
  const read = async (service: ServiceName): Promise<[ServiceName, Model]> => {
    const { metadata, operations, shapes } = JSON.parse(
      await readFile(join(dirname(stamp), `${service}.json`), 'utf8'),
    );
    const { apiVersion: version, protocol, xmlNamespace: namespace = '' } = metadata;
    return [service, { service, version, namespace, protocol, operations, shapes }];
  };
  return Object.fromEntries(await Promise.all(SERVICES.map(read))) as Record<ServiceName, Model>;
}

/** `models` marks the folder as whole. */
const EXTRACT = `
import glob, gzip, json, os, subprocess, sys, zipfile
folder, requirement, versions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
pip = [sys.executable, '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:']
subprocess.run(pip + ['--dest', folder, requirement], check=True)
wheel = glob.glob(os.path.join(folder, '*.whl'))[0]
with zipfile.ZipFile(wheel) as archive:
    for service, version in versions.items():
        data = gzip.decompress(archive.read(f'botocore/data/{service}/{version}/service-2.json.gz'))
        open(os.path.join(folder, service + '.json'), 'wb').write(data)
os.remove(wheel)
stamp = os.path.join(folder, 'models')
open(stamp, 'w').close()
os.chmod(stamp, 0o755)
`;

/** What is wrong with a value, one line each. */
export function problemsOf(model: Model, member: Member, value: unknown, path: string): string[] {
  const shape = shapeOf(model, member);
  switch (shape.type) {
    case 'structure':
      return isObject(value) ? structureProblems(model, shape, value, path) : [`${path} is no structure`];
    case 'list':
      if (!Array.isArray(value)) return [`${path} is no list`];
      return [
        ...sizeProblems(shape, value.length, path),
        ...value.flatMap((one, index) => problemsOf(model, shape.member as Member, one, `${path}[${index}]`)),
      ];
    case 'map':
      return isObject(value)
        ? Object.entries(value).flatMap(([key, one]) => problemsOf(model, shape.value as Member, one, `${path}.${key}`))
        : [`${path} is no map`];
    case 'string':
      return typeof value === 'string' ? stringProblems(shape, value, path) : [`${path} is no string: ${value}`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path} is no boolean: ${value}`];
    case 'timestamp':
      return value instanceof Date || typeof value === 'number' ? [] : [`${path} is no time: ${value}`];
    case 'blob':
      return [];
    default:
      if (typeof value !== 'number' || Number.isNaN(value)) return [`${path} is no number: ${value}`];
      return sizeProblems(shape, value, path);
  }
}

function structureProblems(model: Model, shape: Shape, value: Record<string, unknown>, path: string): string[] {
  const missing = (shape.required ?? [])
    .filter((name) => value[name] === undefined)
    .map((name) => `${path}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, one]) => {
    const member = shape.members?.[name];
    if (!member) return [`${path}.${name} is unknown`];
    return one === undefined || one === null ? [] : problemsOf(model, member, one, `${path}.${name}`);
  });
  return [...missing, ...wrong];
}

function stringProblems(shape: Shape, value: string, path: string): string[] {
  if (shape.enum && !shape.enum.includes(value)) return [`${path} is ${value}, none of ${shape.enum.join(', ')}`];
  const matches = shape.pattern === undefined || new RegExp(`^(?:${javascript(shape.pattern)})$`, 'us').test(value);
  return [
    ...sizeProblems(shape, value.length, path),
    ...(matches ? [] : [`${path} does not match ${shape.pattern}: ${value}`]),
  ];
}

/** The models write character classes as Java does. */
function javascript(pattern: string): string {
  return pattern
    .replaceAll(/\\p\{(\w+)\}/g, (_, name: string) => `\\p{${name === 'ASCII' ? 'ASCII' : name}}`)
    .replaceAll('\\-', '\\x2d');
}

function sizeProblems({ min, max }: Shape, size: number, path: string): string[] {
  if (min !== undefined && size < min) return [`${path} is ${size}, at least ${min} is needed`];
  return max !== undefined && size > max ? [`${path} is ${size}, at most ${max} is possible`] : [];
}

export function shapeOf(model: Model, { shape }: Member): Shape {
  const found = model.shapes[shape];
  if (!found) throw new Error(`${model.service} has no shape ${shape}`);
  return found;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
