// The cluster beside a test's stack: a real control plane, the test's own kubelet with a pool of nodes, and a fleet installed
// under exactly Reelkit's Role.
import { join } from 'node:path';
import { egressConfig } from '../../src/dev/egress-config.ts';
import { stateDirVariable } from '../../src/dev/leftovers.ts';
import type { Stack } from '../../src/dev/stack.ts';
import { type ControlPlane, startControlPlane } from './cluster/control-plane.ts';
import {
  type EgressFleet,
  type EgressFleetOptions,
  installEgressFleet,
  type KubernetesInput,
} from './cluster/egress-fleet.ts';
import { type Kubelet, type KubeletOptions, startKubelet } from './cluster/kubelet.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface ClusterOptions {
  /** Nodes are made for pods that fit nowhere. */
  pool?: KubeletOptions['pool'];
  fleet?: Partial<EgressFleetOptions>;
  workerEnv?: Record<string, string>;
  audit?: boolean;
}

export interface TestCluster {
  readonly controlPlane: ControlPlane;
  readonly kubelet: Kubelet;
  readonly fleet: EgressFleet;
  /** Between Reelkit and the API server. */
  readonly network: TcpProxy;
  readonly capacity: KubernetesInput;
  stop(): Promise<void>;
}

const POOL = { bootMs: 1_000, cores: 16, maxNodes: 10 };

export async function startCluster(stack: Stack, egressBin: string, options: ClusterOptions): Promise<TestCluster> {
  const { stateDir } = stack;
  const controlPlane = await startControlPlane({ stateDir: join(stateDir, 'cluster'), audit: options.audit ?? false });
  let kubelet: Kubelet | undefined;
  try {
    kubelet = await startKubelet({
      kubeconfig: controlPlane.kubeconfig,
      dir: join(stateDir, 'kubelet'),
      egressBin,
      pool: options.pool ?? POOL,
      workerEnv: { ...options.workerEnv, [stateDirVariable]: stateDir },
    });
    const network = await startTcpProxy(Number(new URL(controlPlane.server).port));
    const fleet = await installEgressFleet(controlPlane, {
      namespace: 'reelkit',
      egressConfig: egressConfig({ livekit: stack.livekit, redis: stack.workersRedis }),
      server: `https://127.0.0.1:${network.port}`,
      ...options.fleet,
    });
    return {
      controlPlane,
      kubelet,
      fleet,
      network,
      capacity: fleet.capacity,
      async stop() {
        await kubelet?.stop();
        await network.stop();
        await controlPlane.stop();
      },
    };
  } catch (error) {
    await kubelet?.stop();
    await controlPlane.stop();
    throw error;
  }
}
