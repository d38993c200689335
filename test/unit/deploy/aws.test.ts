// Rules for the CloudFormation templates that no schema knows: smallest policies, nothing open, no secret written down, and the
// policies against the calls that the providers send. cfn-lint reads the same files in test/contract/deploy.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AutoScalingGroup, LifecycleHook } from '@aws-sdk/client-auto-scaling';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { groupProblems, hookProblems } from '../../../src/capacity/asg/check.ts';
import { asgCapacity } from '../../../src/capacity/asg/config.ts';
import { capacitySettings } from '../../../src/capacity/registry.ts';
import { parseConfig } from '../../../src/config/load.ts';
import {
  actionsOf,
  containersOf,
  evaluate,
  type Resource,
  resourcesOf,
  root,
  statementsOf,
  type Template,
  template,
  templates,
} from '../../support/aws-templates.ts';

/** Calls that name no resource, by AWS's service authorization reference. */
const WITHOUT_RESOURCE = [
  'autoscaling:DescribeAutoScalingGroups',
  'autoscaling:DescribeLifecycleHooks',
  'autoscaling:DescribePolicies',
  'autoscaling:DescribeScheduledActions',
  'ec2:DescribeLaunchTemplateVersions',
  'ec2:DescribeInstances',
  'ecr:GetAuthorizationToken',
  'ecs:DescribeTaskDefinition',
  'ecs:DiscoverPollEndpoint',
];
/** A list of tasks names none either, but is held to the cluster by a condition. */
const BY_CONDITION = ['ecs:ListTasks'];

function policyProblems(of: Template): string[] {
  return statementsOf(of).flatMap((statement) => {
    const actions = actionsOf(statement);
    const everywhere = [statement.Resource].flat().includes('*');
    const resourceless = (action: string) =>
      WITHOUT_RESOURCE.includes(action) || (BY_CONDITION.includes(action) && statement.Condition !== undefined);
    return [
      ...actions.filter((action) => action.includes('*')).map((action) => `wildcard action ${action}`),
      ...(everywhere ? actions.filter((action) => !resourceless(action)).map((action) => `${action} on *`) : []),
    ];
  });
}

function networkProblems(of: Template): string[] {
  const inside = resourcesOf(of, 'AWS::EC2::SecurityGroup').flatMap(
    ({ SecurityGroupIngress = [] }) => SecurityGroupIngress,
  );
  const rules = [...inside, ...resourcesOf(of, 'AWS::EC2::SecurityGroupIngress')] as Record<string, unknown>[];
  return rules
    .filter((rule) => rule.SourceSecurityGroupId === undefined || 'CidrIp' in rule || 'CidrIpv6' in rule)
    .map((rule) => `ingress that is not from a security group: ${JSON.stringify(rule)}`);
}

function platformProblems(of: Template): string[] {
  const templatesOfInstances = resourcesOf(of, 'AWS::EC2::LaunchTemplate').map(
    ({ LaunchTemplateData }) => LaunchTemplateData,
  );
  const data = templatesOfInstances as {
    MetadataOptions?: Record<string, unknown>;
    BlockDeviceMappings?: { Ebs: Record<string, unknown> }[];
  }[];
  const hasTasks = containersOf(of).length > 0;
  return [
    ...resourcesOf(of, 'AWS::Logs::LogGroup')
      .filter((group) => !group.RetentionInDays)
      .map(() => 'logs are kept for ever'),
    ...resourcesOf(of, 'AWS::AutoScaling::AutoScalingGroup')
      .filter(({ MinSize }) => MinSize !== '0')
      .map(() => 'minimum above 0'),
    ...data.filter(({ MetadataOptions }) => MetadataOptions?.HttpTokens !== 'required').map(() => 'IMDSv1 is allowed'),
    ...data
      // Without a role of its own a container has that of its instance, which is one hop more.
      .filter(({ MetadataOptions }) => MetadataOptions?.HttpPutResponseHopLimit !== (hasTasks ? 1 : 2))
      .map(() => "containers reach the instance's role"),
    ...data
      .flatMap(({ BlockDeviceMappings = [] }) => BlockDeviceMappings)
      .filter(({ Ebs }) => Ebs.Encrypted !== true)
      .map(() => 'a disk is not encrypted'),
  ];
}

/** Whatever sounds like a secret is a parameter that names one of Secrets Manager, and reaches a container by reference alone. */
function secretProblems(of: Template): string[] {
  const sounds = /password|secret|apikey|api_key|encryptionkeys/i;
  const variables = containersOf(of).flatMap(({ Environment = [] }) => Environment);
  return [
    ...Object.keys(of.Parameters)
      .filter((name) => sounds.test(name) && !name.endsWith('SecretArn'))
      .map((name) => `parameter ${name}`),
    ...variables.filter(({ Name }) => sounds.test(Name)).map(({ Name }) => `variable ${Name}`),
  ];
}

describe.each(templates)('deploy/aws/$name.yaml', (of) => {
  test('allows no action by a wildcard, and names resources where the call has any', () => {
    expect(statementsOf(of).length).toBeGreaterThan(0);
    expect(policyProblems(of)).toEqual([]);
  });

  test('lets nobody in but by a security group', () => expect(networkProblems(of)).toEqual([]));

  test('keeps logs for a while, runs nothing at rest, and closes the metadata of instances', () => {
    expect(resourcesOf(of, 'AWS::Logs::LogGroup')).toHaveLength(1);
    expect(platformProblems(of)).toEqual([]);
  });

  test('has secrets by reference alone', () => {
    expect(Object.keys(of.Parameters)).toContain('LiveKitSecretArn');
    expect(secretProblems(of)).toEqual([]);
  });

  test('says what to do next', () => expect(of.Outputs.Next?.Value).toMatch(/reelkit doctor/));
});

test('the rules see a template that breaks each of them', () => {
  const resource = (Type: string, Properties: Resource['Properties']): Resource => ({ Type, Properties });
  const statement = (Action: string, more: object = {}) => ({ Effect: 'Allow', Action, Resource: '*', ...more });
  const bad: Template = {
    name: 'bad',
    Parameters: { RedisPassword: { Type: 'String' } },
    Outputs: {},
    Resources: {
      role: resource('AWS::IAM::Role', {
        Policies: [
          {
            PolicyDocument: {
              Statement: [statement('s3:*'), statement('ecs:ListTasks'), statement('ecs:ListTasks', { Condition: {} })],
            },
          },
        ],
      }),
      group: resource('AWS::EC2::SecurityGroup', { SecurityGroupIngress: [{ CidrIp: '0.0.0.0/0' }] }),
      rule: resource('AWS::EC2::SecurityGroupIngress', { SourceSecurityGroupId: 'one', CidrIpv6: '::/0' }),
      logs: resource('AWS::Logs::LogGroup', {}),
      instances: resource('AWS::AutoScaling::AutoScalingGroup', { MinSize: '1' }),
      launch: resource('AWS::EC2::LaunchTemplate', { LaunchTemplateData: { BlockDeviceMappings: [{ Ebs: {} }] } }),
      task: resource('AWS::ECS::TaskDefinition', {
        ContainerDefinitions: [{ Environment: [{ Name: 'LIVEKIT_API_SECRET' }] }],
      }),
    },
  };
  expect(policyProblems(bad)).toEqual(['wildcard action s3:*', 's3:* on *', 'ecs:ListTasks on *']);
  expect(networkProblems(bad)).toHaveLength(2);
  expect(platformProblems(bad)).toHaveLength(5);
  expect(secretProblems(bad)).toEqual(['parameter RedisPassword', 'variable LIVEKIT_API_SECRET']);
});

describe('the two kinds of ECS', () => {
  const container = (name: string) => containersOf(template(name))[0];

  test('run the same worker, but for how long it may finish and where its ports are', () => {
    const { StopTimeout: _long, PortMappings: _host, ...onInstances } = container('ecs-ec2') ?? {};
    const { StopTimeout, PortMappings: _own, ...onFargate } = container('fargate') ?? {};
    expect(onInstances).toEqual(onFargate);
    expect(StopTimeout).toBe(120);
  });

  test('give a drained instance as long as the longest recording, and five minutes', () => {
    expect(template('ecs-ec2').Parameters.StopTimeoutSeconds?.Default).toBe(24 * 3_600 + 300);
  });

  test('let ECS bring instances and empty them, without a protection that standalone tasks never get', () => {
    const [provider] = resourcesOf(template('ecs-ec2'), 'AWS::ECS::CapacityProvider');
    expect(provider?.AutoScalingGroupProvider).toMatchObject({
      ManagedDraining: 'ENABLED',
      ManagedTerminationProtection: 'DISABLED',
      ManagedScaling: { Status: 'ENABLED' },
    });
  });
});

/** `fleet.capacity` as an output hands it on. */
function capacityOf(name: string, given: Record<string, unknown>): Record<string, unknown> {
  const of = template(name);
  return JSON.parse(String(evaluate(of, of.Outputs.FleetCapacity?.Value, given)));
}

const FARGATE = { Subnets: ['subnet-1', 'subnet-2'], AssignPublicIp: 'true' };

describe('fleet.capacity, as the outputs have it', () => {
  test('names cluster, definition and capacity provider of instances', () => {
    expect(capacityOf('ecs-ec2', {})).toEqual({
      provider: 'ecs',
      region: 'eu-central-1',
      cluster: 'Cluster',
      taskDefinition: 'stack-egress',
      strategies: [{ capacityProvider: 'CapacityProvider' }],
    });
  });

  test.each([
    ['false', ['FARGATE']],
    ['true', ['FARGATE_SPOT', 'FARGATE']],
  ])('on Fargate names the network; with Spot %s it tries %j', (Spot, expected) => {
    expect(capacityOf('fargate', { ...FARGATE, Spot })).toMatchObject({
      strategies: expected.map((capacityProvider) => ({ capacityProvider })),
      network: { subnets: FARGATE.Subnets, assignPublicIp: true },
    });
  });

  test('is a configuration that Reelkit takes', () => {
    for (const capacity of [capacityOf('ecs-ec2', {}), capacityOf('fargate', FARGATE), capacityOf('asg', {})])
      expect(capacitySettings.safeParse(capacity).error).toBeUndefined();
  });
});

test('the configuration inside reelkit.yaml is one that Reelkit takes, whatever of it is given', () => {
  const of = template('reelkit');
  const capacity = { provider: 'static', workers: [{ id: 'one', healthUrl: 'http://one:9090', cpuCores: 4 }] };
  const given = {
    LiveKitUrl: 'wss://livekit.example.com',
    LiveKitRedisAddress: 'redis:6379',
    LiveKitRedisTls: 'true',
    WorkersRedisAddress: 'workers:6379',
    RecordingsBucket: 'my-recordings',
    FleetCapacity: JSON.stringify(capacity),
  };
  const variable = containersOf(of)[0]?.Environment?.find(({ Name }) => Name === 'REELKIT_YAML');
  const text = String(evaluate(of, variable?.Value, given));
  const config = parseConfig(parse(text), {
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'a secret of 32 characters or more',
  });
  expect(config).toMatchObject({
    livekit: { redis: { address: 'redis:6379', tls: { enabled: true } } },
    workers: { redis: { address: 'workers:6379', tls: { enabled: false } } },
    storages: { recordings: { bucket: 'my-recordings', workerIdentity: true } },
  });
});

const SERVICES: Record<string, string> = { ecs: 'ecs', 'auto-scaling': 'autoscaling', ec2: 'ec2' };

/** `ecs:RunTask` for each command, and each paginator, that a file imports of the SDK. */
function callsIn(source: string): string[] {
  const imports = source.matchAll(/import (?:type )?\{([^}]*)\} from '@aws-sdk\/client-([\w-]+)'/g);
  return [...imports].flatMap(([, names = '', client = '']) =>
    [...names.matchAll(/(?<!type )\b(?:paginate(\w+)|(\w+)Command)\b/g)].map(
      ([, paged, single]) => `${SERVICES[client]}:${paged ?? single}`,
    ),
  );
}

test('calls are found by what is imported of the SDK', () => {
  const source = `import {
  DescribeTasksCommand,
  type ECSClient,
  paginateListTasks,
} from '@aws-sdk/client-ecs';
import { LaunchInstancesCommand, type RunTaskCommand } from '@aws-sdk/client-auto-scaling';`;
  expect(callsIn(source)).toEqual(['ecs:DescribeTasks', 'ecs:ListTasks', 'autoscaling:LaunchInstances']);
});

/** What a call needs besides, or never sends under this template. */
const POLICIES = [
  // RunTask hands the definition's two roles to the task.
  { name: 'ecs-ec2', provider: 'ecs', implied: ['iam:PassRole'], never: [] },
  // LaunchInstances makes the instances in the caller's name.
  {
    name: 'asg',
    provider: 'asg',
    implied: ['ec2:CreateFleet', 'ec2:RunInstances', 'ec2:CreateTags', 'iam:PassRole'],
    never: [],
  },
  // Tasks on Fargate name no instance, and its capacity providers are AWS's.
  {
    name: 'fargate',
    provider: 'ecs',
    implied: ['iam:PassRole'],
    never: ['ecs:DescribeContainerInstances', 'ec2:DescribeInstances', 'ecs:DescribeCapacityProviders'],
  },
];

const sourcesOf = (folder: string) => readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));

describe.each(POLICIES)('the policy for Reelkit in $name.yaml', ({ name, provider, implied, never }) => {
  const [policy] = Object.entries(template(name).Resources).filter(([id]) => id === 'ReelkitPolicy');
  const folders = [join(root, 'src/capacity/aws'), join(root, 'src/capacity', provider)];

  test('allows what the provider calls, and nothing else', () => {
    const of = { ...template(name), Resources: Object.fromEntries(policy ? [policy] : []) };
    const sent = new Set(folders.flatMap(sourcesOf).flatMap(callsIn));
    const needed = [...sent, ...implied].filter((action) => !never.includes(action));
    expect(statementsOf(of).flatMap(actionsOf).sort()).toEqual(needed.sort());
  });
});

describe('asg.yaml', () => {
  const of = template('asg');
  const watcher = readFileSync(join(root, 'deploy/aws/watcher/reelkit-watcher'), 'utf8');
  const [group] = resourcesOf(of, 'AWS::AutoScaling::AutoScalingGroup');

  test('carries the watcher and its unit as they are in deploy/aws/watcher', () => {
    const userData = JSON.stringify(resourcesOf(of, 'AWS::EC2::LaunchTemplate')[0]?.LaunchTemplateData);
    const unit = readFileSync(join(root, 'deploy/aws/watcher/reelkit-watcher.service'), 'utf8');
    for (const file of [watcher, unit]) expect(userData).toContain(JSON.stringify(file).slice(1, -1));
    // What an instance takes, in base64.
    expect(userData.length * (4 / 3)).toBeLessThan(16_384);
  });

  test('allows the watcher what it calls, and nothing else', () => {
    const called = [...watcher.matchAll(/lifecycle ([a-z-]+)/g)].map(([, name = '']) =>
      name.replaceAll(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase()),
    );
    const policies = of.Resources.InstanceRole?.Properties.Policies as
      | { PolicyName: string; PolicyDocument: { Statement: never[] } }[]
      | undefined;
    const role = policies?.[0];
    expect(role?.PolicyName).toBe('watcher');
    expect(role?.PolicyDocument.Statement.flatMap(actionsOf).sort()).toEqual(
      [...new Set(called)].map((name) => `autoscaling:${name}`).sort(),
    );
  });

  test('is a group as Reelkit wants it, but for what CloudFormation cannot say', () => {
    const settings = asgCapacity.parse(capacityOf('asg', {}));
    const evaluated = evaluate(of, group, {}) as Record<string, unknown>;
    const described = { ...evaluated, MinSize: Number(evaluated.MinSize) } as unknown as AutoScalingGroup;
    expect(groupProblems(described, settings, 'default')).toEqual([expect.stringContaining('suspend-processes')]);
    const [hook] = evaluated.LifecycleHookSpecificationList as LifecycleHook[];
    expect(hookProblems(hook, settings)).toEqual([]);
  });
});
