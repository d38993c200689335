// How LiveKit is started for the local stack: its configuration file for one machine without a network.

import { stringify } from 'yaml';
import { httpAnswers } from './http.ts';

export interface LiveKitSettings {
  ports: { http: number; rtcTcp: number; rtcUdp: number };
  apiKey: string;
  apiSecret: string;
  redisAddress: string;
  /** Where events go; LiveKit signs them with the key pair above. */
  webhookUrls: readonly string[];
  /** Seconds until a room that nobody joined, and one that everybody left, is closed. */
  emptyTimeoutSeconds: number;
  departureTimeoutSeconds: number;
}

export function livekitConfig(settings: LiveKitSettings): string {
  return stringify({
    port: settings.ports.http,
    bind_addresses: ['127.0.0.1'],
    rtc: {
      tcp_port: settings.ports.rtcTcp,
      udp_port: settings.ports.rtcUdp,
      node_ip: '127.0.0.1',
      use_external_ip: false,
      enable_loopback_candidate: true,
      interfaces: { includes: ['lo'] },
    },
    redis: { address: settings.redisAddress },
    keys: { [settings.apiKey]: settings.apiSecret },
    room: {
      auto_create: true,
      empty_timeout: settings.emptyTimeoutSeconds,
      departure_timeout: settings.departureTimeoutSeconds,
    },
    webhook: { api_key: settings.apiKey, urls: [...settings.webhookUrls] },
    logging: { level: 'info', json: false },
  });
}

export function livekitAnswers(port: number): Promise<boolean> {
  return httpAnswers(`http://127.0.0.1:${port}/`);
}
