// How the Temporal dev server is started for the local stack: kept on disk, so that it survives its own restart.

import { httpAnswers } from './http.ts';

export type SearchAttributes = Readonly<
  Record<string, 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList'>
>;

export interface TemporalSettings {
  ports: { grpc: number; http: number; ui: number; metrics: number };
  databaseFile: string;
  namespace: string;
  searchAttributes: SearchAttributes;
  /** Where the Web UI has payloads decrypted. */
  codecUrl: string;
  /** Server settings by name, each a JSON value. */
  dynamicConfig: Readonly<Record<string, unknown>>;
}

export function temporalArgs(settings: TemporalSettings): string[] {
  const { ports } = settings;
  return [
    'server',
    'start-dev',
    ...['--ip', '127.0.0.1'],
    ...['--port', `${ports.grpc}`],
    ...['--http-port', `${ports.http}`],
    ...['--ui-port', `${ports.ui}`],
    ...['--metrics-port', `${ports.metrics}`],
    ...['--db-filename', settings.databaseFile],
    ...['--sqlite-pragma', 'journal_mode=WAL'],
    ...['--namespace', settings.namespace],
    ...['--log-level', 'warn'],
    '--ui-disable-news-fetch',
    ...['--ui-codec-endpoint', settings.codecUrl],
    ...Object.entries(settings.searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...Object.entries(settings.dynamicConfig).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
  ];
}

/** Ready only when the search attributes are known too: they are registered a moment after the port opens. */
export async function temporalAnswers({ ports, namespace, searchAttributes }: TemporalSettings): Promise<boolean> {
  const url = `http://127.0.0.1:${ports.http}/cluster/namespaces/${namespace}/search-attributes`;
  return httpAnswers(url, (body) => Object.keys(searchAttributes).every((name) => body.includes(`"${name}"`)));
}
