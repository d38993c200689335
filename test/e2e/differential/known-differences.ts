// What differs between LiveKit with plain workers and with Reelkit, on purpose. docs/livekit.md gives the reason of each, under the
// same id; a unit test holds the two lists together. Those that the differential run can see must be seen there, and nothing else.
import type { Difference } from './compare.ts';

/** Where and what; a side without a pattern has nothing there, or anything. */
interface Seen {
  at: RegExp;
  plain?: RegExp;
  reelkit?: RegExp;
}

export interface KnownDifference {
  id: string;
  /** In the differential run. */
  seen?: Seen[];
  /** The test that shows it, where a run against one plain worker that lives cannot. */
  shownBy?: string;
}

const REQUEST = '(roomComposite|web|participant|trackComposite|track|egress)';

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  { id: 'no-worker', shownBy: 'test/e2e/sdk-stages.test.ts' },
  { id: 'starting-lasts', shownBy: 'test/e2e/sdk-stages.test.ts' },
  { id: 'source-comes', shownBy: 'test/e2e/people.test.ts' },
  { id: 'source-returns', shownBy: 'test/e2e/people.test.ts' },
  { id: 'longest-duration', shownBy: 'test/e2e/lifecycle.test.ts' },
  { id: 'worker-dies', shownBy: 'test/e2e/workers.test.ts' },
  { id: 'retry-count', shownBy: 'test/e2e/workers.test.ts' },
  { id: 'manifest-of-a-part', shownBy: 'test/contract/egress/worker-contract.ts' },
  { id: 'keys-kept', shownBy: 'test/e2e/encryption.test.ts' },
  { id: 'reelkit-away', shownBy: 'test/e2e/sdk-stages.test.ts' },
  {
    id: 'names',
    seen: [
      // In the request, as a record shows it.
      { at: new RegExp(`\\.${REQUEST}\\..*(filepath|laylistName|filenamePrefix)$`), reelkit: /./ },
      { at: /imageResults\.\d+\.filenamePrefix$/, plain: /^undefined$|\/"$/, reelkit: /<time>"$/ },
      { at: /(filename|location)$/, plain: /\{retry\}/, reelkit: /part-0/ },
    ],
  },
  {
    id: 'refused-later',
    seen: [
      { at: /^only the worker can refuse it › start\.error$/, plain: /invalid_argument/, reelkit: /^undefined$/ },
      { at: /^only the worker can refuse it › start\.ok$/, plain: /^undefined$/ },
      { at: /^only the worker can refuse it › list when it has ended$/, reelkit: /answered invalid_argument/ },
      {
        at: /^only the worker can refuse it › webhooks of 1$/,
        reelkit: /egress_started STARTING","egress_ended FAILED"\]/,
      },
      { at: /a kind of name that is not, or is newer(\.error|\.ok|: stop)$/ },
    ],
  },
  {
    id: 'hidden-urls',
    seen: [
      { at: /error\.message$/, plain: /invalid url|stream .* not found/, reelkit: /\{(url|\S*\.\.\.\S*)\}/ },
      { at: /urls?(\.\d+)?$/, plain: /"srt:.*=0123456789"/, reelkit: /=\{\.\.\.\}"/ },
    ],
  },
  {
    id: 'streams-end',
    seen: [
      {
        at: /FAILED.*streamResults\.\d+\.(status|endedAt)$|^who is to be recorded is not there › list when it has ended\.ok\.items\.0\.streamResults\.0\.(status|endedAt)$/,
        plain: /^undefined$/,
        reelkit: /FAILED|<time>/,
      },
    ],
  },
  {
    id: 'stopped-with-its-file',
    seen: [
      {
        at: /^stopped while it stops › list when it has ended\..*\.(status|error|errorCode)$/,
        plain: /FAILED|it took long|500/,
      },
      { at: /^stopped while it stops › webhooks of 1\./, plain: /FAILED/ },
      { at: /^stopped while it stops › webhooks of 1\./, reelkit: /COMPLETE/ },
    ],
  },
  { id: 'ended-at-once', seen: [{ at: /, it took$/, plain: /3 s/, reelkit: /no time/ }] },
  {
    id: 'stopped-while-starting',
    seen: [
      {
        at: /^stopped while it starts: StartParticipantEgress › stop\.error$/,
        plain: /EGRESS_ABORTED cannot be stopped/,
      },
      {
        at: /^stopped while it starts: StartParticipantEgress › stop\.ok$/,
        reelkit: /Stop called before pipeline could start/,
      },
    ],
  },
];

/** @returns the id of the difference that explains it */
export function explain(difference: Difference): string | undefined {
  const fits = ({ at, plain, reelkit }: Seen) =>
    at.test(difference.at) &&
    (!plain || plain.test(String(JSON.stringify(difference.plain)))) &&
    (!reelkit || reelkit.test(String(JSON.stringify(difference.reelkit))));
  return KNOWN_DIFFERENCES.find(({ seen = [] }) => seen.some(fits))?.id;
}
