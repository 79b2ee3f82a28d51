import { createServer } from 'node:net';
import { nameOf } from '../../channels/http/server/listen.js';
import { portHolders } from '../../channels/http/server/port-holder.js';
import type { ListenAddress } from '../../config/values.js';
import { serviceOf } from '../../systemd/evidence.js';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import { RefusedStart } from './failed-start.js';

const stays = 'The other gateway was left as it is.';

/** Tries the address; gives the name of the errno(3), or null if it is free. */
function tryAddress(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** @param holderPid the gateway that is to be stopped, whose address this one may have */
async function checkAddress(listen: ListenAddress, holderPid: number | null): Promise<void> {
  if (listen.kind !== 'tcp') return;
  const code = await tryAddress(listen.host, listen.port);
  if (code === null) return;
  const address = nameOf(listen);
  if (code !== 'EADDRINUSE') {
    throw new RefusedStart(`This gateway could not listen on ${address} (${code}). ${stays}`);
  }
  const other = portHolders(listen.port, listen.host).find(({ pid }) => pid !== holderPid && pid !== 1);
  if (other === undefined) return;
  if (other.name === 'systemd') {
    // It keeps the socket for the unit (FileDescriptorStoreMax=), or has it of a socket unit.
    const unit = holderPid === null ? null : serviceOf(holderPid);
    throw new RefusedStart(
      `This gateway could not listen on ${address}: a user’s service manager (pid ${other.pid}) keeps that socket for ${unit ?? 'a unit'}. Stop the unit first: systemctl --user stop ${unit ?? 'UNIT'}. ${stays}`,
    );
  }
  throw new RefusedStart(
    `This gateway could not listen on ${address}: ${other.name} (pid ${other.pid}) does, which is not the gateway to take over from. ${stays}`,
  );
}

/** Throws a RefusedStart if the gateway that is to be stopped is a unit's. @param unit null: it is none's */
export function refuseUnit(unit: string | null): void {
  if (unit === null) return;
  throw new RefusedStart(
    `The other gateway runs as ${unit}, which systemd would start again. Stop that first: ${ownCommand('stop')}. ${stays}`,
  );
}

export interface TakeoverCheck {
  readonly listen: ListenAddress;
  readonly holderPid: number | null;
  /** Throws if the gateway's secrets can't be used. */
  readonly secrets: () => unknown;
  /** Rejects if this program can't open the store. */
  readonly store: () => Promise<void>;
}

/** Checks that this gateway can start before the other one is stopped. Rejects with a RefusedStart. */
export async function checkBeforeTakeover({
  listen,
  holderPid,
  secrets,
  store,
}: TakeoverCheck): Promise<void> {
  await checkAddress(listen, holderPid);
  try {
    secrets();
    await store();
  } catch (error) {
    throw new RefusedStart(`This gateway could not start: ${errorMessage(error)} ${stays}`, { cause: error });
  }
}
