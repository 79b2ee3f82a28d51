import { hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { type HttpEndpoint, nameOf } from '../../channels/http/server/listen.js';
import { listensHere } from '../../channels/http/server/port-holder.js';
import type { SocketKeeper } from '../../channels/http/server/socket-keeper.js';
import type { ListenAddress } from '../../config/values.js';
import type { Log } from '../../log/log.js';
import { FdStore, type FdStoreOutcome } from '../../systemd/fd-store.js';
import { listenFds, type PassedDescriptor } from '../../systemd/listen-fds.js';
import { RefusedStart } from '../start/failed-start.js';

/** `FDNAME=` of what is kept in the service manager’s store; `systemd-analyze fdstore` shows it. */
const listenerPrefix = 'sd-gateway-listener=';

/** Connections without a request under way. */
export const connectionName = 'sd-gateway-connection';

/** Longest name that sd_notify(3) takes. */
const longestName = 255;

/** The name of the listening socket of an address of the configuration. It may hold no colon. */
export function listenerName(address: string): string {
  const name = listenerPrefix + encodeURIComponent(address);
  return name.length <= longestName ? name : listenerPrefix + hash('sha256', address);
}

export function isListenerName(name: string): boolean {
  return name.startsWith(listenerPrefix);
}

/** A use for each descriptor that the service manager passed (sd_listen_fds(3)). */
export interface SocketPlan {
  readonly endpoints: readonly HttpEndpoint[];
  /** Connections that the last run kept open. */
  readonly connections: readonly number[];
  /** Listening sockets that the last run kept, and that no longer fit the configuration. */
  readonly stale: readonly PassedDescriptor[];
  /** True if the one that fits is stale, for it listens in another network namespace. */
  readonly elsewhere?: true;
}

/**
 * Plans where the HTTP server listens: on the sockets of a socket unit, or without any on the configured address. If the
 * last run kept the socket of that address, it is used again, unless it listens in another network namespace.
 */
export function planSockets(
  listen: ListenAddress,
  passed: readonly PassedDescriptor[],
  isHere: (descriptor: number) => boolean,
): SocketPlan {
  const listeners = passed.filter(({ name }) => isListenerName(name));
  const connections = passed.filter(({ name }) => name === connectionName).map(({ fd }) => fd);
  const ofUnits = passed.filter(({ name }) => !isListenerName(name) && name !== connectionName);
  const name = listen.kind === 'systemd' ? listen.name : null;
  const chosen = name === null ? ofUnits : ofUnits.filter((descriptor) => descriptor.name === name);
  if (chosen.length > 0) {
    const endpoints = chosen.map(
      ({ fd, name }): HttpEndpoint => ({ kind: 'descriptor', descriptor: fd, name }),
    );
    return { endpoints, connections, stale: listeners };
  }
  if (listen.kind === 'systemd') throw noSocket(name, ofUnits);
  const wanted = listenerName(nameOf(listen));
  const fitting = listeners.filter((listener) => listener.name === wanted);
  // The store forgets by name: of two with one name neither can be kept alone.
  const only = fitting.length === 1 ? fitting[0] : undefined;
  // A Unix socket has its path for a place.
  const elsewhere = only !== undefined && listen.kind === 'tcp' && !isHere(only.fd);
  const kept = elsewhere ? undefined : only;
  return {
    endpoints: [kept === undefined ? listen : { ...listen, kept: kept.fd }],
    connections,
    stale: listeners.filter((listener) => listener !== kept),
    ...(elsewhere ? { elsewhere } : {}),
  };
}

function noSocket(name: string | null, passed: readonly PassedDescriptor[]): RefusedStart {
  const wanted = name === null ? 'a socket' : `a socket with FileDescriptorName=${name}`;
  const got =
    passed.length === 0
      ? 'passed none'
      : `passed only: ${passed.map((descriptor) => descriptor.name).join(', ')}`;
  return new RefusedStart(
    `http.listen asks for ${wanted} from systemd, which ${got}. Start the gateway through its socket unit, or set http.listen to an address.`,
  );
}

/** `FileDescriptorStoreMax=` of the shipped units. */
const shippedCapacity = 512;
/** Slots for listening sockets, and for what a drop-in may want to keep. */
const reservedSlots = 12;
/** Longest wait for the manager to close a listening socket that is in the way. */
const removalTimeoutMs = 5_000;

/** Keeps listening sockets and idle connections over a restart, in the service manager's file descriptor store. */
export class FdStoreSockets implements SocketKeeper {
  readonly #log: Log;
  readonly #store: FdStore;
  #failureLogged = false;

  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#log = log;
    this.#store = new FdStore(environment, shippedCapacity);
  }

  /**
   * Takes what the manager passed. Listening sockets that no longer fit are closed, here and in the store, before
   * anything is bound: they may hold the address. Throws a RefusedStart, or a SystemCallError when the announced
   * descriptors aren't there.
   */
  async take(listen: ListenAddress): Promise<SocketPlan> {
    const plan = planSockets(listen, listenFds(), listensHere);
    if (plan.elsewhere === true && listen.kind === 'tcp') {
      this.#log.notice(
        `The kept socket of ${nameOf(listen)} is of another network namespace (PrivateNetwork=, NetworkNamespacePath=), where no client reaches it: it is closed, and the address bound anew.`,
      );
    }
    for (const { fd } of plan.stale) closeSync(fd);
    for (const name of new Set(plan.stale.map((stale) => stale.name))) this.#check(this.#store.remove(name));
    // A copy in the store would keep a connection open after its end here.
    if (plan.connections.length > 0) this.#check(this.#store.remove(connectionName));
    if (plan.stale.length > 0) await this.#store.settled(removalTimeoutMs);
    return plan;
  }

  keepListener(address: string, descriptor: number): boolean {
    if (this.#store.capacity === 0) return false;
    // Only the end of the unit closes it, whatever poll(2) says of it.
    return this.#check(this.#store.keep(listenerName(address), [descriptor], { poll: false }));
  }

  dropListener(address: string): void {
    this.#check(this.#store.remove(listenerName(address)));
  }

  keepConnections(descriptors: readonly number[]): number {
    const room = Math.max(0, this.#store.capacity - reservedSlots);
    const kept = descriptors.slice(0, room);
    if (kept.length < descriptors.length && room > 0) {
      this.#log.info(
        `${descriptors.length - kept.length} idle connections are closed: the unit’s FileDescriptorStoreMax= has room for ${room}.`,
      );
    }
    if (kept.length === 0) return 0;
    return this.#check(this.#store.keep(connectionName, kept, { poll: true })) ? kept.length : 0;
  }

  #check(outcome: FdStoreOutcome): boolean {
    if (outcome.outcome === 'failed' && !this.#failureLogged) {
      this.#failureLogged = true;
      this.#log.warning(
        `Sockets can’t be kept over a restart: the service manager can’t be told of them: ${outcome.message}. Clients may see a failed request at a restart; look at NOTIFY_SOCKET. Said once.`,
      );
    }
    return outcome.outcome === 'sent';
  }
}
