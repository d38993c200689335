// Reads the API server's audit log: who asked for what. The policy that fills it is in control-plane-files.ts.
import { readFile } from 'node:fs/promises';

export interface AuditedRequest {
  verb: string;
  /** As RBAC names it: `pods`, `pods/status`. Empty for paths that are no resource, such as /version. */
  resource: string;
  namespace: string;
  name: string;
  /** HTTP status. */
  code: number;
  userAgent: string;
  atMs: number;
}

interface AuditEvent {
  verb: string;
  user: { username: string };
  userAgent?: string;
  objectRef?: { resource: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
  requestReceivedTimestamp: string;
}

/** @param user as RBAC names it: `admin`, `system:serviceaccount:<namespace>:<name>` */
export async function readRequests(file: string, user: string): Promise<AuditedRequest[]> {
  const text = await readFile(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.includes(user))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter((event) => event.user.username === user)
    .map(toRequest);
}

function toRequest({ verb, userAgent = '', objectRef, responseStatus, requestReceivedTimestamp }: AuditEvent) {
  return {
    verb,
    resource: [objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/'),
    namespace: objectRef?.namespace ?? '',
    name: objectRef?.name ?? '',
    code: responseStatus?.code ?? 0,
    userAgent,
    atMs: Date.parse(requestReceivedTimestamp),
  };
}
