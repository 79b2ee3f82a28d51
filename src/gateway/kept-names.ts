import { hash } from 'node:crypto';

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
