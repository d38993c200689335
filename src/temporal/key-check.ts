// Whether the keys of this process open what Temporal holds of the fleet: asked at the start and by doctor, so that a key that is
// gone, or two processes with a key each, is said at once and not by recordings that stand still. Reads ids of keys, no payload.
import { type Client, isGrpcServiceError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { keyIdOf } from './codec.ts';
import { openIn } from './recording-index.ts';

const CALL_MS = 5_000;
/** The newest ones; a key that only older recordings need is told by their own errors. */
const LOOKED_AT = 50;

const RUNNING = 1; // WORKFLOW_EXECUTION_STATUS_RUNNING
const NOT_FOUND = 5; // of gRPC

type Payloads = Iterable<temporal.api.common.v1.IPayload>;

export interface KeyCheckSettings {
  namespace: string;
  fleets: readonly string[];
  /** Ids of the keys that this process has. */
  known: readonly string[];
}

/** @returns what is wrong and what to do, or undefined when everything can be read */
export async function keyProblem(client: Client, settings: KeyCheckSettings): Promise<string | undefined> {
  const problems = await Promise.all(settings.fleets.map((fleet) => problemOf(client, { ...settings, fleet })));
  return problems.find((problem) => problem !== undefined);
}

interface FleetToCheck extends Pick<KeyCheckSettings, 'namespace' | 'known'> {
  fleet: string;
}

async function problemOf(client: Client, settings: FleetToCheck): Promise<string | undefined> {
  const { fleet, known } = settings;
  const used = [...(await keysOfRecordings(client, settings)), ...(await keysOfFleet(client, settings))];
  const lost = [...new Set(used)].filter((id) => !known.includes(id));
  if (lost.length === 0) return undefined;
  return `open workflows of fleet "${fleet}" were encrypted with ${listed(lost)}, and this process has ${listed(known)}: give all Reelkit processes the same keys (encryption.keys or the key file). Keys that are lost for good: terminate those workflows with \`temporal workflow terminate --query "RecordingFleet = '${fleet}' AND ExecutionStatus = 'Running'"\` and \`temporal workflow terminate --workflow-id fleet/${fleet}\``;
}

async function keysOfRecordings(client: Client, { namespace, fleet }: FleetToCheck): Promise<string[]> {
  const { executions } = await client.withDeadline(Date.now() + CALL_MS, () =>
    client.workflowService.listWorkflowExecutions({
      namespace,
      query: openIn(fleet),
      pageSize: LOOKED_AT,
    }),
  );
  return executions.flatMap(({ memo }) => keyIds(Object.values(memo?.fields ?? {})));
}

/** The fleet's workflow has no memo; its input is in its first event. */
async function keysOfFleet(client: Client, { namespace, fleet }: FleetToCheck): Promise<string[]> {
  const execution = { workflowId: `fleet/${fleet}` };
  const { workflowService } = client;
  try {
    return await client.withDeadline(Date.now() + CALL_MS, async () => {
      const { workflowExecutionInfo } = await workflowService.describeWorkflowExecution({ namespace, execution });
      if (workflowExecutionInfo?.status !== RUNNING) return [];
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace,
        execution,
        maximumPageSize: 1,
      });
      return keyIds(history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []);
    });
  } catch (error) {
    // There is none yet.
    if (isGrpcServiceError(error) && error.code === NOT_FOUND) return [];
    throw error;
  }
}

function keyIds(payloads: Payloads): string[] {
  return [...payloads].map((payload) => keyIdOf(payload as Payload)).filter((id) => id !== undefined);
}

function listed(ids: readonly string[]): string {
  if (ids.length === 0) return 'none';
  return `${ids.length === 1 ? 'key' : 'keys'} ${ids.map((id) => `"${id}"`).join(', ')}`;
}
