import { closeSync } from 'node:fs';
import type { SocketKeeper } from '../../channels/http/server/socket-keeper.js';
import type { ListenAddress } from '../../config/values.js';
import type { Log } from '../../log/log.js';
import { FdStore, type FdStoreOutcome } from '../../systemd/fd-store.js';
import { listenFds } from '../../systemd/listen-fds.js';
import { connectionName, listenerName, planSockets, type SocketPlan } from './socket-plan.js';

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
    const plan = planSockets(listen, listenFds());
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
