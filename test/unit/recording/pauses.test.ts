// Who may pause, and what is written down of it.
import { describe, expect, it } from 'vitest';
import { endPause, MAX_PAUSES, pause, presentPause, whyNotPause } from '../../../src/recording/pauses.ts';
import { OPEN_STAGES, STAGES, type Stage } from '../../../src/recording/stage.ts';
import type { RecordingView } from '../../../src/recording/view.ts';

const viewIn = (stage: Stage, pauses?: RecordingView['pauses']) =>
  ({ stage, ...(pauses && { pauses }) }) as RecordingView;

describe('a recording', () => {
  it.each(STAGES)('that is %s may be paused once it has begun and until it is being stopped', (stage) => {
    const type = stage === 'scheduled' ? 'NotPausable' : 'RecordingEnded';
    const may = OPEN_STAGES.some((open) => open === stage) && stage !== 'scheduled' && stage !== 'stopping';
    expect(whyNotPause(viewIn(stage))?.type).toBe(may ? undefined : type);
  });

  it('is paused once, however often it is asked, and again after it went on', () => {
    const view = viewIn('recording');
    pause(view, 'ada', 1);
    pause(view, 'bob', 2);
    expect(view.pauses).toEqual([{ sinceMs: 1, by: 'ada' }]);
    endPause(view, 5);
    endPause(view, 6);
    expect(presentPause(view)).toBeUndefined();
    pause(view, undefined, 7);
    expect(view.pauses).toEqual([{ sinceMs: 1, by: 'ada', untilMs: 5 }, { sinceMs: 7 }]);
  });

  it('is paused so often and no more', () => {
    const all = Array.from({ length: MAX_PAUSES }, (_, index) => ({ sinceMs: index, untilMs: index }));
    const view = viewIn('recording', all);
    expect(whyNotPause(view)?.type).toBe('NotPausable');
    pause(view, undefined, 100);
    expect(view.pauses).toHaveLength(MAX_PAUSES);
  });
});
