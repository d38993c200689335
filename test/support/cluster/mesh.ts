// A service mesh as an API server sees one: a webhook that puts a sidecar into every new pod of a namespace, unless the pod opts out
// by Istio's label. What it is injected for, and how, is the real API server's.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { stringify } from 'yaml';
import type { ControlPlane } from './control-plane.ts';

export interface Mesh {
  stop(): Promise<void>;
}

const NAME = 'mesh.example.com';
export const SIDECAR = 'mesh-proxy';
const PATCH = [
  { op: 'add', path: '/spec/containers/-', value: { name: SIDECAR, image: 'registry.example.com/proxy' } },
];

export async function startMesh(cluster: ControlPlane, namespace: string): Promise<Mesh> {
  // The API server's own certificate, which is one for 127.0.0.1.
  const certificate = (kind: 'crt' | 'key') => readFile(`${cluster.stateDir}/certificates/apiserver.${kind}`);
  const [cert, key] = await Promise.all([certificate('crt'), certificate('key')]);
  const server = createServer({ cert, key }, async (request, response) => {
    const { request: review } = (await json(request)) as { request: { uid: string } };
    const patch = Buffer.from(JSON.stringify(PATCH)).toString('base64');
    const answer = { uid: review.uid, allowed: true, patchType: 'JSONPatch', patch };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await cluster.kubectl(['apply', '-f', '-'], stringify(configuration(namespace, url, cert.toString('base64'))));
  return {
    async stop() {
      await cluster.kubectl(['delete', 'mutatingwebhookconfiguration', NAME, '--ignore-not-found']);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As Istio's own: it has no side effects, so that a dry run is sent to it, too. */
function configuration(namespace: string, url: string, caBundle: string) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [
      {
        name: NAME,
        clientConfig: { url, caBundle },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        objectSelector: {
          matchExpressions: [{ key: 'sidecar.istio.io/inject', operator: 'NotIn', values: ['false'] }],
        },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 5,
      },
    ],
  };
}
