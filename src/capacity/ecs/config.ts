// The configuration of workers as standalone tasks of ECS.
import { z } from 'zod';
import { awsKeys, workerKeys } from '../aws/config.ts';

const strategy = z
  .strictObject({
    /** FARGATE, FARGATE_SPOT, or the name of one of the cluster's own; their instances come and go by themselves. */
    capacityProvider: z.string().min(1).optional(),
    launchType: z.enum(['FARGATE', 'EC2', 'EXTERNAL']).optional(),
  })
  .refine(({ capacityProvider, launchType }) => (capacityProvider === undefined) !== (launchType === undefined), {
    error: 'needs one of capacityProvider and launchType',
  });

export const ecsCapacity = z.strictObject({
  provider: z.literal('ecs'),
  ...awsKeys,
  ...workerKeys,
  /** Name or ARN. */
  cluster: z.string().min(1).max(255),
  /** `family`: its latest revision, so that a new one rolls out. `family:revision`: that one. */
  taskDefinition: z
    .string()
    .regex(/^[\w-]{1,255}(:\d+)?$/, { error: 'must be family or family:revision, for example egress:7' }),
  /** The container of the task definition that runs the egress. */
  container: z.string().min(1).default('egress'),
  /** Tried in this order: the next one when there is no capacity. */
  strategies: z.array(strategy).min(1).max(5),
  /** For task definitions with network mode awsvpc, which Fargate needs. */
  network: z
    .strictObject({
      subnets: z.array(z.string().min(1)).min(1).max(16),
      securityGroups: z.array(z.string().min(1)).max(5).default([]),
      /** In subnets without NAT. Only Fargate can. */
      assignPublicIp: z.boolean().default(false),
    })
    .optional(),
});

export type EcsCapacity = z.output<typeof ecsCapacity>;
export type EcsStrategy = EcsCapacity['strategies'][number];
