import { randomUUID } from 'node:crypto';
import type { ChannelContext } from './channel.js';

/** A claim lasts so long unless it is renewed, and is renewed so often, in milliseconds. */
const leaseMs = 30_000;
const renewalMs = 10_000;

/** The claim of this gateway to be the one that hears a bot, among those that share its store. */
export class PlatformLease {
  readonly #context: Pick<ChannelContext, 'leases' | 'clock'>;
  readonly #kind: string;
  readonly #owner = randomUUID();
  #held: { readonly name: string; readonly epoch: number } | null = null;
  #cancelRenewal = () => {};

  /** @param kind the platform, such as "telegram" */
  constructor(context: Pick<ChannelContext, 'leases' | 'clock'>, kind: string) {
    this.#context = context;
    this.#kind = kind;
  }

  /** False: another gateway has it. Throws what the store fails with. */
  async claim(name: string): Promise<boolean> {
    if (this.#held?.name === name) return true;
    await this.release();
    const epoch = await this.#context.leases.claimLease(this.#kind, name, this.#owner, leaseMs);
    if (epoch === null) return false;
    this.#held = { name, epoch };
    this.#scheduleRenewal();
    return true;
  }

  /** Lets another gateway have it at once. One that can't be released runs out. */
  async release(): Promise<void> {
    this.#cancelRenewal();
    const held = this.#held;
    this.#held = null;
    if (held === null) return;
    await this.#context.leases.releaseLease(this.#hold(held)).catch(() => false);
  }

  #hold({ name, epoch }: { readonly name: string; readonly epoch: number }) {
    return { kind: this.#kind, name, owner: this.#owner, epoch };
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal = this.#context.clock.after(renewalMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    // A store that is away takes no messages either: nothing is acknowledged meanwhile.
    const isOurs = await this.#context.leases.renewLease(this.#hold(held), leaseMs).catch(() => true);
    if (this.#held !== held) return;
    if (isOurs) this.#scheduleRenewal();
    else this.#held = null;
  }
}
