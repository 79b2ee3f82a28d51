import { fstatSync } from 'node:fs';
import { ArgumentError, showValue } from '../systemd/arguments.js';
import { FdStore, type FdStoreOutcome } from '../systemd/fd-store.js';
import { listenFds, type PassedDescriptor } from '../systemd/listen-fds.js';

/** The descriptors that the manager has passed and nobody has taken yet. */
let untaken: PassedDescriptor[] | null = null;

function passed(): PassedDescriptor[] {
  untaken ??= [...listenFds()];
  return untaken;
}

/** Takes those that nobody has taken, of the names that are asked for. */
export function takeUnclaimed(isWanted: (name: string) => boolean): readonly PassedDescriptor[] {
  const all = passed();
  untaken = all.filter(({ name }) => !isWanted(name));
  return all.filter(({ name }) => isWanted(name));
}

/** Before systemd 254 no unit knows how much the manager keeps. */
const unlimited = Number.MAX_SAFE_INTEGER;

function checkDescriptors(descriptors: readonly number[]): void {
  for (const fd of descriptors) {
    if (!Number.isInteger(fd) || fd < 0) {
      throw new ArgumentError('descriptors', `${showValue(fd)} is no file descriptor`);
    }
    try {
      fstatSync(fd);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new ArgumentError(
        'descriptors',
        `The file descriptor ${fd} can't be kept: it is not open (${code})`,
      );
    }
  }
}

/**
 * The file descriptor store of the unit (systemd.service(5), `FileDescriptorStoreMax=`): what is put there stays open
 * after the end of this process, and the next start can take it.
 */
export const fdStore = {
  /**
   * Number of descriptors that the manager keeps: `$FDSTORE` since systemd 254. 0: it keeps none; null: it doesn't
   * tell.
   */
  get capacity(): number | null {
    const { capacity } = new FdStore(process.env, unlimited);
    return capacity === unlimited ? null : capacity;
  },

  /**
   * Puts duplicates into the store; the caller's own may be closed afterwards. A manager without room says nothing.
   *
   * @param poll false: the manager keeps them also after the other end has hung up. Default: true
   * @throws ArgumentError for a name that isn't 1 to 255 printable ASCII characters without a colon, and for
   *   descriptors that aren't open
   */
  put(
    name: string,
    descriptors: number | readonly number[],
    { poll = true }: { readonly poll?: boolean } = {},
  ): FdStoreOutcome {
    const all = Array.isArray(descriptors) ? descriptors : [descriptors];
    checkDescriptors(all);
    if (process.env['NOTIFY_SOCKET'] === undefined) return { outcome: 'not-supervised' };
    return new FdStore(process.env, unlimited).keep(name, all, { poll });
  },

  /**
   * Takes the descriptors that the manager has passed under this name, stored ones and those of socket units. The
   * caller owns them. Later calls don't give them again; the store keeps its duplicates until `remove`.
   *
   * @throws SystemCallError where the environment is malformed, as `listenFds` does
   */
  take(name: string): readonly number[] {
    return takeUnclaimed((other) => other === name).map(({ fd }) => fd);
  },

  /** Has the manager close all that it keeps under the name. Throws `ArgumentError` as `put` does. */
  remove(name: string): FdStoreOutcome {
    return new FdStore(process.env, unlimited).remove(name);
  },
};
