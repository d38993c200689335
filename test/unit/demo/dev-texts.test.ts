import { expect, test } from 'vitest';
import { environmentFile, welcome } from '../../../src/demo/dev-texts.ts';

test('other terminals get the addresses and keys, quoted for any shell, and not the mark of the stack', () => {
  const text = environmentFile({ REELKIT_URL: 'http://x', LIVEKIT_API_SECRET: "it's", REELKIT_STATE_DIR: '/state' });
  expect(text).toBe(`export REELKIT_URL='http://x'\nexport LIVEKIT_API_SECRET='it'\\''s'\n`);
});

test('the commands to try name a room that has a speaker', () => {
  const at = { apiUrl: 'http://a', webUiUrl: 'http://t', livekitUrl: 'ws://l', recordingsDir: '/r', logDir: '/l' };
  const lines = welcome({ ...at, environmentFile: '.reelkit/dev/env', rooms: ['alpha', 'bravo'] });
  expect(lines).toContain('  bin/reelkit record alpha --max-duration 30s --wait');
  expect(lines).toContain('  . .reelkit/dev/env');
  expect(welcome({ ...at, environmentFile: 'env', rooms: [] }).join('\n')).toContain('record ROOM');
});
