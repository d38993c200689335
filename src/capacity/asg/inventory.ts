// What instances there are: the group says what it holds, EC2 what they are, also those that have left it. Two calls, and a page a thousand.
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  DescribeLaunchTemplateVersionsCommand,
  type EC2Client,
  type Filter,
  type Instance,
  paginateDescribeInstances,
} from '@aws-sdk/client-ec2';
import { type Action, toCapacityError } from '../aws/errors.ts';
import { createFresh } from '../aws/fresh.ts';
import { createRecent } from '../aws/recent.ts';
import { CapacityError, type Worker } from '../provider.ts';
import type { AsgCapacity } from './config.ts';
import { templateOf, workerOf } from './instance.ts';

const PAGE = 1_000;
const VERSION_MS = 60_000;

export interface AsgClients {
  groups: AutoScalingClient;
  ec2: EC2Client;
}

interface Launched {
  token: string;
  atMs: number;
}

export type Inventory = ReturnType<typeof createInventory>;

export function createInventory({ groups, ec2 }: AsgClients, settings: AsgCapacity, fleet: string) {
  const recent = createRecent<Launched>();
  let seen: AutoScalingGroup | undefined;
  const version = createFresh(async () => (seen ? readVersion(seen) : undefined), VERSION_MS);

  /** @throws CapacityError of kind `configuration` when there is none */
  async function group(): Promise<AutoScalingGroup> {
    const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [settings.group] });
    const { AutoScalingGroups: [found] = [] } = await groups
      .send(command)
      .catch(failed('autoscaling:DescribeAutoScalingGroups'));
    seen = found;
    if (found) return found;
    const where = settings.region ? ` in region ${settings.region}` : '';
    const message = `Auto Scaling group "${settings.group}" does not exist${where}: correct fleet.capacity.group and region`;
    throw new CapacityError('configuration', message, { code: 'no_group' });
  }

  async function instances(...Filters: Filter[]): Promise<Instance[]> {
    const found: Instance[] = [];
    const pages = paginateDescribeInstances({ client: ec2, pageSize: PAGE }, { Filters });
    try {
      for await (const { Reservations = [] } of pages)
        found.push(...Reservations.flatMap(({ Instances = [] }) => Instances));
    } catch (error) {
      failed('ec2:DescribeInstances')(error);
    }
    return found;
  }

  /** A number, where the group says `$Latest` or `$Default`. */
  async function readVersion(of: AutoScalingGroup): Promise<string | undefined> {
    const template = templateOf(of);
    if (!template?.Version || /^\d+$/.test(template.Version)) return template?.Version;
    const LaunchTemplateId = template.LaunchTemplateId as string;
    const command = new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId, Versions: [template.Version] });
    const { LaunchTemplateVersions: [now] = [] } = await ec2
      .send(command)
      .catch(failed('ec2:DescribeLaunchTemplateVersions'));
    return now?.VersionNumber === undefined ? undefined : String(now.VersionNumber);
  }

  function failed(action: Action) {
    return (error: unknown): never => {
      throw toCapacityError(error, action, `look at Auto Scaling group ${settings.group}`);
    };
  }

  return {
    group,
    version,
    byClientToken: (token: string) => instances({ Name: 'client-token', Values: [token] }),

    async workers(): Promise<Worker[]> {
      const [held, found] = await Promise.all([
        group(),
        instances({ Name: 'tag:aws:autoscaling:groupName', Values: [settings.group] }),
      ]);
      // Without a right to read it nothing is called outdated; doctor says so.
      const now = await version.get().catch(() => undefined);
      const members = new Map(held.Instances?.map((member) => [member.InstanceId, member]));
      const reading = { fleet, settings, version: now };
      const workers = found.map((instance) => workerOf(instance, members.get(instance.InstanceId), reading));
      const shown = new Set(workers.map(({ id }) => id));
      const unseen = recent.entries().filter(([id]) => !shown.has(id));
      return [...workers, ...unseen.map(([id, launched]) => requested(id, launched))];
    },

    launched: (id: string, token: string) => recent.add(id, { token, atMs: Date.now() }),
  };

  /** EC2 does not show it yet. */
  function requested(id: string, { token, atMs }: Launched): Worker {
    return {
      id,
      topic: id,
      token,
      state: 'requested',
      owned: true,
      launchedAtMs: atMs,
      cpuCores: settings.coresPerWorker,
    };
  }
}
