// A workflow that passes a secret through every way by which a payload reaches Temporal's storage.
import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertMemo,
} from '@temporalio/workflow';

/** Each a text of its own, so that what is found tells where it leaked. */
export const PLANTED = [
  'input',
  'memo',
  'changedMemo',
  'staticSummary',
  'staticDetails',
  'currentDetails',
  'timerSummary',
  'signal',
  'update',
  'updateResult',
  'refusedUpdate',
  'activityInput',
  'activityResult',
  'heartbeat',
  'activityFailure',
  'activityFailureDetails',
  'localActivityResult',
  'childInput',
  'childResult',
  'childFailure',
  'continued',
  'result',
  'failure',
  'failureCause',
] as const;
export type Secrets = Record<(typeof PLANTED)[number], string>;

export interface Activities {
  work(
    secrets: Pick<
      Secrets,
      'activityInput' | 'activityResult' | 'heartbeat' | 'activityFailure' | 'activityFailureDetails'
    >,
  ): Promise<string>;
  workHere(secret: string): Promise<string>;
}

export const tellSignal = defineSignal<[string]>('tell');
export const askUpdate = defineUpdate<string, [string]>('ask');
export const lookQuery = defineQuery<string, [string]>('look');

const { work } = proxyActivities<Pick<Activities, 'work'>>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '300ms', maximumAttempts: 2 },
});
const { workHere } = proxyLocalActivities<Pick<Activities, 'workHere'>>({ startToCloseTimeout: '5s' });

export async function secretive(secrets: Secrets, continued?: string): Promise<string> {
  if (continued === undefined) {
    await firstRun(secrets);
    return continueAsNew<typeof secretive>({ ...secrets, input: '' }, secrets.continued);
  }
  return secrets.result;
}

export async function failing(secrets: Secrets): Promise<void> {
  throw ApplicationFailure.create({
    message: secrets.failure,
    nonRetryable: true,
    cause: new Error(secrets.failureCause),
  });
}

export async function child(
  secrets: Pick<Secrets, 'childInput' | 'childResult'> & { fails?: string },
): Promise<string> {
  if (secrets.fails !== undefined) throw ApplicationFailure.nonRetryable(secrets.fails);
  return secrets.childResult;
}

async function firstRun(secrets: Secrets): Promise<void> {
  let told = '';
  let asked = '';
  setHandler(tellSignal, (secret) => {
    told = secret;
  });
  setHandler(
    askUpdate,
    (secret) => {
      asked = secret;
      return secrets.updateResult;
    },
    {
      validator: (secret) => {
        if (secret === secrets.refusedUpdate) throw ApplicationFailure.nonRetryable(secret);
      },
    },
  );
  setHandler(lookQuery, (secret) => `${secret} ${told}`);
  upsertMemo({ changed: secrets.changedMemo });
  setCurrentDetails(secrets.currentDetails);
  await sleep(10, { summary: secrets.timerSummary });
  await workHere(secrets.localActivityResult);
  await work(secrets);
  const { childInput, childResult } = secrets;
  await executeChild(child, { args: [{ childInput, childResult }] });
  await executeChild(child, { args: [{ childInput, childResult, fails: secrets.childFailure }] }).catch(
    () => undefined,
  );
  await condition(() => told !== '' && asked !== '');
}
