// The configuration of workers as pods.
import { z } from 'zod';
import { duration } from '../../config/values.ts';

const kubernetesName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
  error: 'must be the name of a Kubernetes object: lower-case letters, digits, dashes and dots',
});

export const kubernetesCapacity = z.strictObject({
  provider: z.literal('kubernetes'),
  /** Of the worker pods and their PodTemplate. Inside a cluster Reelkit's own by default, outside that of the context. */
  namespace: kubernetesName.optional(),
  /** The PodTemplate object from which each worker is made. */
  podTemplate: kubernetesName,
  /** The container of the template that runs the egress. */
  container: z.string().min(1).default('egress'),
  /** No recording lasts longer: the pods' terminationGracePeriodSeconds must exceed it. 24h is what the API allows. */
  longestRecording: duration('24h'),
  /** Outside a cluster; KUBECONFIG and ~/.kube/config are looked at by default. */
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  /**
   * A worker whose node is being emptied (cordoned, tainted, about to be removed) is asked to take nothing new, and finishes. Needs
   * the right to list and watch nodes.
   */
  watchNodes: z.boolean().default(false),
  /** Also retires idle pods with the fleet's label that Reelkit did not launch; by default they are used and left alone. */
  manageUnowned: z.boolean().default(false),
});

export type KubernetesCapacity = z.output<typeof kubernetesCapacity>;
