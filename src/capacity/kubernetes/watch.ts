// A list that stays current: the client library's informer, kept alive. It survives 410 Gone, dropped and half-open connections
// and an API server that is away: what was seen last is kept, and the watch begins again where it stopped, or with a new list
// when that does not work (a server that was restored from a backup does not know where that was).

import {
  type KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  ListWatch,
  Watch,
} from '@kubernetes/client-node';
import { backoffMs, withJitter } from '../../common/backoff.ts';
import { messageOf } from '../../common/error-message.ts';
import { isRefusal } from './errors.ts';

export interface WatchedList<T extends KubernetesObject> {
  /** What was seen last, also while a new list is on its way. Rejects when nothing was ever seen, and when the API server says that it will show nothing more. */
  current(): Promise<T[]>;
  /** Now while the watch works, else since when it does not. */
  asOfMs(): number;
  close(): void;
}

export interface WatchSpec<T extends KubernetesObject> {
  config: KubeConfig;
  path: string;
  list: () => Promise<KubernetesListObject<T>>;
  labelSelector?: string;
  fieldSelector?: string;
  onChange: (object: T, before: T | undefined) => void;
  onDelete: (object: T) => void;
  /** The watch broke; undefined: it works again. */
  onOutage: (problem: string | undefined) => void;
}

/** How long the first list may take before whoever asks is told that the API server does not answer. */
const FIRST_LIST_MS = 10_000;
const REFUSED_MS = 60_000;
const RESTART = { firstMs: 200, maxMs: 5_000 };
/** After an outage of this long, the list is read anew. */
const RELIST_MS = 30_000;

export function watchList<T extends KubernetesObject>(spec: WatchSpec<T>): WatchedList<T> {
  const seen = new Map<string, T>();
  let failures = 0;
  let closed = false;
  let outage: { error: unknown; sinceMs: number } | undefined;
  let listed = false;
  let tellFirst = () => {};
  /** Listed, or failed. */
  const first = new Promise<void>((resolve) => {
    tellFirst = resolve;
  });

  const changed = (object: T) => {
    const before = seen.get(nameOf(object));
    spec.onChange(object, before?.metadata?.uid === object.metadata?.uid ? before : undefined);
    seen.set(nameOf(object), object);
  };
  const works = () => {
    failures = 0;
    if (outage) spec.onOutage(undefined);
    outage = undefined;
  };
  const deleted = (object: T) => {
    seen.delete(nameOf(object));
    spec.onDelete(object);
  };
  const failed = (error: unknown) => {
    if (closed) return;
    if (!outage) spec.onOutage(messageOf(error));
    outage = { error, sinceMs: outage?.sinceMs ?? Date.now() };
    tellFirst();
    failures += 1;
    setTimeout(() => void begin(), withJitter(backoffMs(RESTART, failures))).unref();
  };

  function connect(): ListWatch<T> {
    const watch = new SteadyWatch(spec.config, works);
    const made = new ListWatch<T>(spec.path, watch, spec.list, false, spec.labelSelector, spec.fieldSelector);
    made.on('add', changed);
    made.on('update', changed);
    made.on('delete', deleted);
    made.on('error', (error: unknown) => {
      if (made === informer) failed(error);
    });
    return made;
  }

  let informer = connect();
  async function begin(): Promise<void> {
    if (closed) return;
    if (outage && Date.now() - outage.sinceMs > RELIST_MS) {
      void informer.stop();
      informer = connect();
    }
    const current = informer;
    await current.start();
    if (current.latestResourceVersion() === '') return;
    const there = new Set(current.list().map(nameOf));
    for (const [name, object] of seen) if (!there.has(name)) deleted(object);
    listed = true;
    tellFirst();
  }
  void begin();

  return {
    async current() {
      if (!listed) await Promise.race([first, later(FIRST_LIST_MS)]);
      if (outage && (!listed || isDenied(outage))) throw outage.error;
      if (!listed) throw new Error(`no answer within ${FIRST_LIST_MS / 1_000} s`);
      return [...seen.values()];
    },
    asOfMs: () => outage?.sinceMs ?? Date.now(),
    close() {
      closed = true;
      void informer.stop();
    },
  };
}

/** As the API server tells objects of one list apart. */
function nameOf({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}

/** A server that has just started knows no Roles for a moment and refuses everybody. */
function isDenied({ error, sinceMs }: { error: unknown; sinceMs: number }): boolean {
  return isRefusal(error) && Date.now() - sinceMs > REFUSED_MS;
}

/** Asks the server to end each watch after a while and to send bookmarks, and ends one in which nothing came for longer. */
class SteadyWatch extends Watch {
  static readonly SERVER_ENDS_S = 120;
  /** Longer than the server lets a watch last, so that only one whose end got lost is silent this long. */
  static readonly SILENT_MS = 150_000;
  static readonly CONNECT_MS = 15_000;
  /** A server that ends every watch at once is not asked more often than this. */
  static readonly AT_LEAST_MS = 1_000;
  private readonly onConnected: () => void;

  constructor(config: KubeConfig, onConnected: () => void) {
    super(config);
    this.onConnected = onConnected;
  }

  override async watch(
    path: string,
    queryParams: Record<string, string | number | boolean | undefined>,
    callback: (phase: string, object: unknown, watchObject?: unknown) => void,
    done: (error: unknown) => void,
  ): Promise<AbortController> {
    const sinceMs = performance.now();
    let controller: AbortController | undefined;
    let ended = false;
    const silence = setTimeout(() => controller?.abort(), SteadyWatch.SILENT_MS).unref();
    const onEnd = (error: unknown) => {
      if (ended) return;
      ended = true;
      clearTimeout(silence);
      const restMs = error ? 0 : SteadyWatch.AT_LEAST_MS - (performance.now() - sinceMs);
      setTimeout(() => done(error), Math.max(0, restMs)).unref();
    };
    const onEvent = (phase: string, object: unknown, watchObject?: unknown) => {
      silence.refresh();
      callback(phase, object, watchObject);
    };
    const params = { ...queryParams, allowWatchBookmarks: true, timeoutSeconds: SteadyWatch.SERVER_ENDS_S };
    // Given up here rather than there: until it is answered there is nothing to abort it by.
    const asked = super.watch(path, params, onEvent, onEnd);
    const answered = await Promise.race([asked, later(SteadyWatch.CONNECT_MS)]).catch(onEnd);
    if (!answered) onEnd(new Error(`no answer within ${SteadyWatch.CONNECT_MS / 1_000} s`));
    controller = answered ?? new AbortController();
    if (!ended) this.onConnected();
    if (!answered)
      void asked.then(
        (late) => late.abort(),
        () => undefined,
      );
    return controller;
  }
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}
