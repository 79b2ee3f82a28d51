import { hash } from 'node:crypto';
import { type HttpEndpoint, nameOf } from '../../channels/http/server/listen.js';
import type { ListenAddress } from '../../config/values.js';
import type { PassedDescriptor } from '../../systemd/listen-fds.js';
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
}

/**
 * Plans where the HTTP server listens: on the sockets of a socket unit, or without any on the configured address. If the
 * last run kept the socket of that address, it is used again.
 */
export function planSockets(listen: ListenAddress, passed: readonly PassedDescriptor[]): SocketPlan {
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
  const kept = fitting.length === 1 ? fitting[0] : undefined;
  return {
    endpoints: [kept === undefined ? listen : { ...listen, kept: kept.fd }],
    connections,
    stale: listeners.filter((listener) => listener !== kept),
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
