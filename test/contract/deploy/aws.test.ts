// The CloudFormation templates as AWS's own linter reads them, and what the worker's container makes of its variables.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ensureComponents } from '../../../src/dev/components.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { containersOf, root, template, templateFiles } from '../../support/aws-templates.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-aws-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('cfn-lint', () => {
  let lint: (...files: string[]) => Promise<{ exitCode?: number | undefined; stdout: string }>;
  beforeAll(async () => {
    const { 'cfn-lint': bin } = await ensureComponents(['cfn-lint'], reportToStderr);
    lint = (...files) => execa(bin, ['--regions', 'eu-central-1', '--', ...files], { cwd: root, reject: false });
  });

  test('finds nothing in the templates of deploy/aws', async () => {
    expect(templateFiles.length).toBeGreaterThanOrEqual(3);
    const { stdout, exitCode } = await lint(...templateFiles);
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
  });

  test('does find a property that no resource has', async () => {
    const file = join(folder, 'bad.yaml');
    await writeFile(file, 'Resources: { Cluster: { Type: AWS::ECS::Cluster, Properties: { Nmae: one } } }\n');
    const { stdout, exitCode } = await lint(file);
    expect(stdout).toContain('E3002');
    expect(exitCode).not.toBe(0);
  });
});

describe.each(['ecs-ec2', 'fargate'])("the worker's container of %s.yaml", (name) => {
  const [container] = containersOf(template(name));

  /** What the image's own entry point would find in EGRESS_CONFIG_BODY. */
  async function configWith(variables: Record<string, string>): Promise<unknown> {
    const printer = join(folder, 'entrypoint.sh');
    await writeFile(printer, '#!/bin/sh\nprintf %s "$EGRESS_CONFIG_BODY"\n', { mode: 0o755 });
    const command = (container?.Command ?? []).map((text) => text.replace('/entrypoint.sh', printer));
    const [shell = '', ...args] = container?.EntryPoint ?? [];
    const env = {
      PATH: process.env.PATH,
      WORKERS_REDIS_ADDRESS: 'redis:6379',
      WORKERS_REDIS_TLS: 'false',
      ...variables,
    };
    const { stdout } = await execa(shell, [...args, ...command], { env, extendEnv: false });
    return parse(stdout);
  }

  test("listens on its own topic, on the workers' Redis, with the ports that Reelkit asks", async () => {
    expect(await configWith({ REELKIT_TOPIC: 'ecs-abc-1' })).toEqual({
      health_port: 9090,
      prometheus_port: 9091,
      cluster_id: 'ecs-abc-1',
      redis: { address: 'redis:6379', password: '', tls: { enabled: false } },
    });
  });

  test.each(["it's $HOME", 'a"b\\c: #d', "''`id`''"])('takes the password %s as it is', async (password) => {
    expect(await configWith({ REELKIT_TOPIC: 'one', WORKERS_REDIS_PASSWORD: password })).toMatchObject({
      redis: { password },
    });
  });
});
