// How Redis is started for the local stack, and how one sees that it answers. Without persistence nothing is written to disk.

import { connect } from 'node:net';

export interface RedisSettings {
  port: number;
  folder: string;
  persistent: boolean;
}

export function redisArgs({ port, folder, persistent }: RedisSettings): string[] {
  const persistence = persistent ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  // A process title would overwrite the environment by which leftovers are found.
  const title = ['--set-proc-title', 'no'];
  return ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...persistence, ...title];
}

export function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('data', (data) => finish(String(data).startsWith('+PONG')));
    socket.once('error', () => finish(false));
    socket.setTimeout(1_000, () => finish(false));
  });
}
