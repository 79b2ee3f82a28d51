import type { CrashGateway } from './gateway.js';

/** Most memory that a gateway may take beyond what its start takes, in MiB, whatever its agents write. */
const mostGrowthMiB = 160;

/** Watches the memory of the gateway's processes, one after the other. */
export class GatewayMemory {
  readonly #gateway: CrashGateway;
  readonly #startBytes: number;
  #mostBytes = 0;

  /**
   * To be made once the gateway has started, before anybody asks it for anything. Its memory shrinks at rest, at a moment that
   * nobody knows, so the most that the start took is what counts.
   */
  constructor(gateway: CrashGateway) {
    this.#gateway = gateway;
    this.#startBytes = this.#readPeak() ?? 0;
    if (this.#startBytes === 0) throw new Error('The gateway, which was just started, has no memory.');
  }

  /** Takes down the most that the process has had so far. */
  look(): void {
    this.#mostBytes = Math.max(this.#mostBytes, this.#readPeak() ?? 0);
  }

  get growthMiB(): number {
    return Math.max(this.#mostBytes - this.#startBytes, 0) / 1_024 ** 2;
  }

  violations(): readonly string[] {
    return this.growthMiB <= mostGrowthMiB
      ? []
      : [`a gateway had ${this.growthMiB.toFixed(0)} MiB more than its start takes, of ${mostGrowthMiB}`];
  }

  #readPeak(): number | null {
    const pid = this.#gateway.processId();
    return pid === null ? null : this.#gateway.mostMemoryOf(pid);
  }
}
