// What kwok does with its nodes and pods: a node is ready, a bound pod runs, a deleted one goes at once.

interface Stage {
  apiVersion: 'kwok.x-k8s.io/v1alpha1';
  kind: 'Stage';
  metadata: { name: string };
  spec: object;
}

/** @param podReadyMs from a pod's binding until it runs */
export function kwokStages(podReadyMs: number): Stage[] {
  return [
    stage('node-ready', 'Node', [{ key: readyCondition, operator: 'NotIn', values: ['True'] }], {
      next: { statusTemplate: nodeStatus },
    }),
    stage('pod-runs', 'Pod', [isAlive, { key: '.status.phase', operator: 'In', values: ['Pending'] }], {
      delay: { durationMilliseconds: podReadyMs },
      next: { statusTemplate: podStatus },
    }),
    stage('pod-goes', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], {
      next: { delete: true },
    }),
  ];
}

const readyCondition = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const isAlive = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };

function stage(name: string, kind: 'Node' | 'Pod', matchExpressions: object[], does: object): Stage {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions }, ...does },
  };
}

const nodeStatus = `
conditions:
- { type: Ready, status: "True", reason: KubeletReady, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }} }
`;

const podStatus = `
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
podIP: {{ index (PodIPsWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace) 0 | Quote }}
conditions:
{{ range $type := list "Initialized" "ContainersReady" "Ready" }}
- { type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }} }
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: { running: { startedAt: {{ $now | Quote }} } }
{{ end }}
`;
