import type { CrashGateway } from './gateway.js';

/** Most memory that a gateway may take beside what it has after its start, in MiB, whatever its agents write. */
const mostGrowthMiB = 160;

/** Watches the memory of the gateway's processes, one after the other. */
export class GatewayMemory {
  readonly #gateway: CrashGateway;
  readonly #restBytes: number;
  #mostBytes = 0;

  /** To be made while the gateway is at rest. */
  constructor(gateway: CrashGateway) {
    this.#gateway = gateway;
    this.#restBytes = this.#read('now') ?? 0;
    if (this.#restBytes === 0) throw new Error('The gateway, which was just started, has no memory.');
  }

  /** Takes down the most that the process has had so far. */
  look(): void {
    this.#mostBytes = Math.max(this.#mostBytes, this.#read('peak') ?? 0);
  }

  get growthMiB(): number {
    return Math.max(this.#mostBytes - this.#restBytes, 0) / 1_024 ** 2;
  }

  violations(): readonly string[] {
    return this.growthMiB <= mostGrowthMiB
      ? []
      : [`a gateway had ${this.growthMiB.toFixed(0)} MiB more than at rest, of ${mostGrowthMiB}`];
  }

  #read(what: 'peak' | 'now'): number | null {
    const pid = this.#gateway.processId();
    return pid === null ? null : this.#gateway.memoryOf(pid, what);
  }
}
