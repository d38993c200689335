// Which starts of this process may create their record.
import { describe, expect, it } from 'vitest';
import { createGrants } from '../../../src/livekit/grants.ts';

describe('a grant', () => {
  it('holds while the start is under way, and not a moment longer', async () => {
    const grants = createGrants();
    expect(grants.rightOf('EG_1')).toBe('none');
    const during = await grants.during('EG_1', async () => grants.rightOf('EG_1'));
    expect([during, grants.rightOf('EG_1')]).toEqual(['granted', 'none']);
  });

  it('ends with a start that failed', async () => {
    const grants = createGrants();
    await expect(grants.during('EG_1', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(grants.rightOf('EG_1')).toBe('none');
  });

  it('that was given up is refused from then on, of this attempt alone', async () => {
    const grants = createGrants();
    grants.giveUp('EG_1');
    expect([grants.rightOf('EG_1'), grants.rightOf('EG_1_1')]).toEqual(['given_up', 'none']);
  });

  it('is forgotten when a thousand others were given up after it', () => {
    const grants = createGrants();
    for (let i = 0; i <= 1_000; i++) grants.giveUp(`EG_${i}`);
    expect([grants.rightOf('EG_0'), grants.rightOf('EG_1'), grants.rightOf('EG_1000')]).toEqual([
      'none',
      'given_up',
      'given_up',
    ]);
  });
});
