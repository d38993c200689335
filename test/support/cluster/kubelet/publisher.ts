// Writes a pod's status to the API server: the latest one, again and again until it is there, and never while its node is cut off.
import type { V1Pod, V1PodCondition, V1PodStatus } from '@kubernetes/client-node';
import { type Api, hasCode } from './api.ts';

export interface Publisher {
  /** Resolves when what is true now has been written, or can never be. */
  publish(): Promise<void>;
}

export interface PublisherHost {
  api: Api;
  whenOnline(): Promise<void>;
  isOver(): boolean;
}

export function createPublisher(
  { api, whenOnline, isOver }: PublisherHost,
  pod: V1Pod,
  render: (before: readonly V1PodCondition[]) => V1PodStatus,
): Publisher {
  const path = `/api/v1/namespaces/${pod.metadata?.namespace}/pods/${pod.metadata?.name}/status`;
  let before: readonly V1PodCondition[] = [];
  let isDirty = false;
  let writing: Promise<void> | undefined;

  const write = async () => {
    while (isDirty && !isOver()) {
      await whenOnline();
      isDirty = false;
      const status = render(before);
      before = status.conditions ?? [];
      const body = { metadata: { uid: pod.metadata?.uid }, status };
      await api.persistently({ method: 'PATCH', path, body }).catch((error: unknown) => {
        // 404, and 409 for another pod of the same name: it is gone.
        if (!hasCode(error, 404, 409) && !isOver()) throw error;
      });
    }
  };
  const publish = (): Promise<void> => {
    isDirty = true;
    writing ??= write()
      .catch((error: unknown) => {
        if (!isOver()) throw error;
      })
      .finally(() => {
        writing = undefined;
        if (isDirty && !isOver()) return publish();
      });
    return writing;
  };
  return { publish };
}
