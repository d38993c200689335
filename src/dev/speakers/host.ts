// The speakers' own process: starts and stops speakers as its parent asks, and ends when the parent is gone.
// The native library may log, hang or crash at its end; here it can do so without harm to the one who asked.
import { dispose } from '@livekit/rtc-node';
import { messageOf } from '../../common/error-message.ts';
import type { FromHost, SpeakerSpec, ToHost } from './messages.ts';
import { type PublishedSpeaker, publishSpeaker } from './publish.ts';

const endLimitMs = 3_000;
const speakers = new Map<number, Promise<PublishedSpeaker>>();

process.on('message', (message: ToHost) => {
  void (message.type === 'start' ? start(message.id, message.spec) : stop(message.id));
});
process.on('disconnect', () => void end());
process.on('SIGTERM', () => void end());
say({ type: 'ready' });

async function start(id: number, spec: SpeakerSpec): Promise<void> {
  const starting = publishSpeaker(spec);
  speakers.set(id, starting);
  try {
    say({ type: 'started', id, tracks: (await starting).tracks });
  } catch (error) {
    speakers.delete(id);
    say({ type: 'failed', id, error: messageOf(error) });
  }
}

async function stop(id: number): Promise<void> {
  const speaker = await speakers.get(id);
  speakers.delete(id);
  await speaker?.stop().catch(() => undefined);
  say({ type: 'stopped', id });
}

async function end(): Promise<void> {
  setTimeout(() => process.exit(0), endLimitMs).unref();
  await Promise.allSettled([...speakers.keys()].map(stop));
  await dispose();
  process.exit(0);
}

function say(message: FromHost): void {
  if (process.connected) process.send?.(message);
}
