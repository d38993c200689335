// An SDK of another language: its program in tools/, built once, asked by lines of JSON.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { endAtExit } from '../../../src/dev/last-resort.ts';
import type { Answer, Call, LiveKitAddress, Sdk } from './sdk.ts';

export function startSdkProcess(command: string, { url, apiKey, apiSecret }: LiveKitAddress): Sdk {
  const child = spawn(command, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      LIVEKIT_URL: url.replace(/^ws/, 'http'),
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
    },
  });
  const forget = endAtExit(() => child.kill('SIGKILL'));
  const waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ...answer } = JSON.parse(line) as Answer & { id: number };
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  child.once('close', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${command} ended with ${code}`));
  });
  let asked = 0;
  return {
    ask(call: Call) {
      asked += 1;
      const id = asked;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ id, ...call })}\n`);
      });
    },
    async end() {
      await closed(child);
      forget();
    },
  };
}

async function closed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.stdin?.end();
  await once(child, 'close');
}
