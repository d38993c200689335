// /v1/repair: records in LiveKit that say an egress runs although nobody runs it. Looking changes nothing; ending takes a list.
import { parseDuration } from '../../recording/duration.ts';
import { defineRoute, type Route } from '../route.ts';
import { type LookedRecord, repairBody, repairQuery, repairResult, repairView } from '../schemas.ts';

export interface Repair {
  /** Every record in LiveKit that has not ended, with what each witness says. @throws ApiError witness_unavailable */
  look(olderThanMs: number): Promise<LookedRecord[]>;
  /** Asks again, twice, and ends those that nobody runs. @throws ApiError witness_unavailable */
  end(
    egressIds: readonly string[],
    olderThanMs: number,
  ): Promise<{ ended: LookedRecord[]; left: LookedRecord[]; absent: string[] }>;
}

export function repairRoutes({ repair }: { repair: Repair }): Route[] {
  const look = defineRoute({
    method: 'get',
    path: '/v1/repair',
    tag: 'livekit',
    summary: "Look for records in LiveKit's list that nobody runs",
    description:
      'Every record that has not ended, with what each witness says: Temporal, both Redis, other installations, and the room. Changes nothing.',
    auth: 'token',
    operatorsOnly: true,
    query: repairQuery,
    responses: { 200: { description: 'The records', schema: repairView } },
    problems: ['forbidden', 'witness_unavailable'],
    async handler({ query }) {
      return { status: 200, body: { records: await repair.look(parseDuration(query.olderThan) ?? 0) } };
    },
  });

  const end = defineRoute({
    method: 'post',
    path: '/v1/repair',
    tag: 'livekit',
    summary: 'End records in LiveKit that nobody runs',
    description:
      'Asks every witness again, twice, and ends in LiveKit what all of them deny: LiveKit then lists it as ended and sends `egress_ended`. What one of them shows is left alone.',
    auth: 'token',
    operatorsOnly: true,
    body: repairBody,
    responses: { 200: { description: 'What was ended, and what was left alone', schema: repairResult } },
    problems: ['forbidden', 'invalid_request', 'witness_unavailable'],
    async handler({ body }) {
      return { status: 200, body: await repair.end(body.egressIds, parseDuration(body.olderThan) ?? 0) };
    },
  });
  return [look, end];
}
