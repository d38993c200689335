// Reads the CloudFormation templates of deploy/aws as CloudFormation does: its short tags, its functions over given parameters. No test here.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse, type ScalarTag } from 'yaml';

export const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'deploy/aws');
export const templateFiles = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join(folder, file));

type Properties = Record<string, unknown>;
export interface Resource {
  Type: string;
  Properties: Properties;
}
export interface Template {
  name: string;
  Parameters: Record<string, { Type: string; Default?: unknown }>;
  Conditions?: Properties;
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Description: string; Value: unknown }>;
}
export interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: unknown;
}

const FUNCTIONS = ['Sub', 'GetAtt', 'If', 'Not', 'Equals', 'Join', 'GetAZs'];
const customTags = [
  ...['Ref', ...FUNCTIONS].flatMap((name) => {
    const key = name === 'Ref' ? 'Ref' : `Fn::${name}`;
    const value = (of: unknown) => ({ [key]: name === 'GetAtt' ? String(of).split('.') : of });
    const scalar: ScalarTag = { tag: `!${name}`, resolve: (text) => value(text) };
    return [
      scalar,
      {
        tag: `!${name}`,
        collection: 'seq' as const,
        resolve: (seq: { toJSON(): unknown }) => ({ toJSON: () => value(seq.toJSON()) }),
      },
    ];
  }),
];

export const templates: Template[] = templateFiles.map((file) => ({
  name: basename(file, '.yaml'),
  ...(JSON.parse(JSON.stringify(parse(readFileSync(file, 'utf8'), { customTags } as never))) as Omit<Template, 'name'>),
}));

export function template(name: string): Template {
  const found = templates.find((one) => one.name === name);
  if (!found) throw new Error(`deploy/aws has no ${name}.yaml`);
  return found;
}

export function resourcesOf({ Resources }: Template, type: string): Properties[] {
  return Object.values(Resources)
    .filter(({ Type }) => Type === type)
    .map(({ Properties }) => Properties);
}

interface Container {
  EntryPoint: string[];
  Command: string[];
  StopTimeout?: unknown;
  PortMappings?: unknown;
  Environment?: { Name: string; Value: unknown }[];
}

export function containersOf(of: Template): Container[] {
  return resourcesOf(of, 'AWS::ECS::TaskDefinition').flatMap(
    ({ ContainerDefinitions = [] }) => ContainerDefinitions as Container[],
  );
}

/** Every statement of every policy in it, those of managed policies and those inside roles. */
export function statementsOf(of: Template): Statement[] {
  const documents = [
    ...resourcesOf(of, 'AWS::IAM::ManagedPolicy').map(({ PolicyDocument }) => PolicyDocument),
    ...resourcesOf(of, 'AWS::IAM::Role').flatMap(({ Policies = [] }) =>
      (Policies as { PolicyDocument: unknown }[]).map(({ PolicyDocument }) => PolicyDocument),
    ),
  ];
  return documents.flatMap((document) => (document as { Statement: Statement[] }).Statement);
}

export const actionsOf = ({ Action }: Statement): string[] => [Action].flat();

const NOTHING = Symbol('AWS::NoValue');
const PSEUDO: Record<string, unknown> = {
  'AWS::NoValue': NOTHING,
  'AWS::StackName': 'stack',
  'AWS::Region': 'eu-central-1',
  'AWS::Partition': 'aws',
  'AWS::AccountId': '123456789012',
};

/** What CloudFormation makes of `value`; a resource is its own name, an attribute `Name.Attribute`. */
export function evaluate(of: Template, value: unknown, given: Properties): unknown {
  const look = (name: string): unknown => {
    if (name in PSEUDO) return PSEUDO[name];
    if (name in given) return given[name];
    const parameter = of.Parameters[name];
    return parameter ? parameter.Default : name;
  };
  const calls: Record<string, (argument: never) => unknown> = {
    Ref: (name: string) => look(name),
    'Fn::GetAtt': (path: string[]) => path.join('.'),
    'Fn::GetAZs': () => ['eu-central-1a'],
    'Fn::Not': ([one]: unknown[]) => !run(one),
    'Fn::Equals': ([one, other]: unknown[]) => run(one) === run(other),
    'Fn::Join': ([by, list]: [string, unknown]) => [run(list)].flat().join(by),
    'Fn::If': ([name, yes, no]: [string, unknown, unknown]) => run(run(of.Conditions?.[name]) === true ? yes : no),
    'Fn::Sub': (argument: string | [string, Properties]) => {
      const [text, own] = typeof argument === 'string' ? [argument, {}] : [argument[0], argument[1]];
      return text.replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) =>
        String(name in own ? run(own[name]) : look(name)),
      );
    },
  };
  function run(at: unknown): unknown {
    if (Array.isArray(at)) return at.map(run).filter((one) => one !== NOTHING);
    if (at === null || typeof at !== 'object') return at;
    const [[key = '', argument] = [], ...others] = Object.entries(at);
    const call = others.length === 0 ? calls[key] : undefined;
    if (call) return call(argument as never);
    return Object.fromEntries(
      Object.entries(at)
        .map(([name, one]) => [name, run(one)] as const)
        .filter(([, one]) => one !== NOTHING),
    );
  }
  return run(value);
}
