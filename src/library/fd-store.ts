import { fstatSync } from 'node:fs';
import { ArgumentError } from '../linux/errors.js';
import { largestInt, showValue } from '../systemd/arguments.js';
import { FdStore, type FdStoreOutcome } from '../systemd/fd-store.js';
import { listenFds, type PassedDescriptor } from '../systemd/listen-fds.js';
import { readFields, readList } from './read-arguments.js';

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

const largestDescriptor = Number(largestInt);

/** Before systemd 254 no unit knows how much the manager keeps. */
const unlimited = Number.MAX_SAFE_INTEGER;

/** Names that the manager takes: `FDNAME=` of sd_notify(3). */
const storedName = /^[\x20-\x39\x3b-\x7e]{1,255}$/;

function checkName(name: string): void {
  if (typeof name === 'string' && storedName.test(name)) return;
  throw new ArgumentError(
    'name',
    `${showValue(name)} can't be the name of a descriptor: 1 to 255 of printable ASCII without a colon`,
  );
}

function checkDescriptors(descriptors: readonly number[]): void {
  if (descriptors.length === 0) {
    throw new ArgumentError('descriptors', 'No file descriptor is given that could be kept');
  }
  for (const fd of descriptors) {
    if (!Number.isInteger(fd) || fd < 0 || fd > largestDescriptor) {
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
 * The file descriptor store of the unit, `FileDescriptorStoreMax=`: what is put there stays open after the end of this
 * process, and the next start can take it.
 *
 * @see systemd.service(5), sd_notify(3)
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
   * @param name 1 to 255 printable ASCII characters without a colon
   * @param descriptors one open file descriptor, or several
   * @param options `poll: false`: the manager keeps them also after the other end has hung up
   * @returns `sent`, `not-supervised`, or `failed` with errno
   * @throws {@link ArgumentError} for another name, for descriptors that aren't open, and for none
   * @see sd_notify(3), `FDSTORE=1`, `FDNAME=`, `FDPOLL=0`
   */
  put(
    name: string,
    descriptors: number | readonly number[],
    options: { readonly poll?: boolean } = {},
  ): FdStoreOutcome {
    checkName(name);
    const all = readList<number>('descriptors', descriptors) ?? [descriptors as number];
    checkDescriptors(all);
    const { poll = true } = readFields('options', options, ['poll']);
    if (typeof poll !== 'boolean') {
      throw new ArgumentError('poll', `The option poll is true or false, not ${showValue(poll)}`);
    }
    if (process.env['NOTIFY_SOCKET'] === undefined) return { outcome: 'not-supervised' };
    return new FdStore(process.env, unlimited).keep(name, all, { poll });
  },

  /**
   * Takes the descriptors that the manager has passed under this name, stored ones and those of socket units. The
   * caller owns them. Later calls don't give them again; the store keeps its duplicates until `remove`.
   *
   * @param name `FDNAME=`, or `FileDescriptorName=` of a socket unit
   * @throws {@link ArgumentError} for a name that none can have; `SystemCallError` as `listenFds` does
   * @see sd_listen_fds_with_names(3)
   */
  take(name: string): readonly number[] {
    checkName(name);
    return takeUnclaimed((other) => other === name).map(({ fd }) => fd);
  },

  /**
   * Has the manager close all that it keeps under the name.
   *
   * @param name as `put` has it
   * @returns `sent`, `not-supervised`, or `failed` with errno
   * @throws {@link ArgumentError} as `put` does
   * @see sd_notify(3), `FDSTOREREMOVE=1`
   */
  remove(name: string): FdStoreOutcome {
    checkName(name);
    return new FdStore(process.env, unlimited).remove(name);
  },
};
