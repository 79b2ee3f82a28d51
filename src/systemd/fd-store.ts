import type { SystemCallFailure } from '../linux/errors.js';
import { type NotifyOutcome, notify, notifyBarrier, notifyWithDescriptors } from './notify.js';

/** Descriptors that fit into one message: SCM_MAX_FD of unix(7) is 253. */
const descriptorsPerMessage = 250;

/** The outcome of a message to the service manager, as far as the sender can see. */
export type FdStoreOutcome = { readonly outcome: 'sent' | 'not-supervised' } | SystemCallFailure;

/**
 * The file descriptor store of the service manager (systemd.service(5), `FileDescriptorStoreMax=`): what is kept there
 * stays open after the end of this process, and is passed to the next start among the descriptors of sd_listen_fds(3).
 * A manager without room closes its copy and says nothing.
 */
export class FdStore {
  /** Number of descriptors that the manager keeps, as far as is known; 0 without a manager. */
  readonly capacity: number;

  /** @param presumed the unit's `FileDescriptorStoreMax=` where the manager, before systemd 254, doesn't tell it */
  constructor(environment: NodeJS.ProcessEnv, presumed: number) {
    const { NOTIFY_SOCKET, FDSTORE } = environment;
    // Set since systemd 254, to what `FileDescriptorStoreMax=` says.
    const told = FDSTORE !== undefined && /^\d{1,9}$/.test(FDSTORE) ? Number(FDSTORE) : presumed;
    this.capacity = NOTIFY_SOCKET === undefined ? 0 : told;
  }

  /**
   * Sends duplicates to be kept under a name (`FDNAME=`); the caller's own may be closed afterwards.
   * @param poll whether the manager drops what hangs up
   */
  keep(name: string, descriptors: readonly number[], { poll }: { readonly poll: boolean }): FdStoreOutcome {
    for (let from = 0; from < descriptors.length; from += descriptorsPerMessage) {
      const outcome = notifyWithDescriptors(
        { fdStore: true, fdName: name, ...(poll ? {} : { fdPoll: false as const }) },
        descriptors.slice(from, from + descriptorsPerMessage),
      );
      if (outcome.outcome === 'failed' || outcome.outcome === 'not-supervised') return outcome;
    }
    return this.#plain({ outcome: this.capacity === 0 ? 'not-supervised' : 'sent' });
  }

  /** Has the manager close all that it keeps under the name. */
  remove(name: string): FdStoreOutcome {
    return this.#plain(notify({ fdStoreRemove: true, fdName: name }));
  }

  /** Resolves when the manager has done all that was asked before, or after `timeout` milliseconds. */
  async settled(timeout: number): Promise<void> {
    await notifyBarrier(timeout);
  }

  #plain(outcome: NotifyOutcome): FdStoreOutcome {
    return outcome.outcome === 'queued' ? { outcome: 'sent' } : outcome;
  }
}
