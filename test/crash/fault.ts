import type { CrashGateway } from './gateway.js';
import type { Random } from './inside/random.mjs';
import type { Worker } from './worker.js';

export interface Surroundings {
  readonly gateway: CrashGateway;
  /** The gateway's process before the fault. */
  readonly pid: number | null;
  readonly receiver: Worker;
  /** The server of the agents behind HTTP. */
  readonly agents: Worker;
  readonly random: Random;
  pause(milliseconds: number): Promise<void>;
  /** Takes down what must not be, for the report. */
  violate(text: string): void;
  /** Takes down a message of the fault's own that was accepted: the first of a session that no client has. */
  noteAccepted(session: string): void;
}

export interface Fault {
  readonly name: string;
  /** Weight of this fault in the draw, against the others. */
  readonly weight: number;
  /** True if the gateway goes down of it, to be started again by systemd. */
  readonly endsGateway: boolean;
  /** Returns true if it can be done here. If this function is absent, it can. */
  isPossible?(gateway: CrashGateway): boolean;
  /** Does it; resolves when it is done and, where it lasts, over. */
  inject(surroundings: Surroundings): Promise<void>;
}

/** Waits while a fault lasts that must not end the gateway; half of the times the gateway is killed at its end. */
export async function livesThrough(
  { gateway, pid, random, pause, violate }: Surroundings,
  leastMs: number,
  mostMs: number,
): Promise<'alive' | 'killed'> {
  await pause(random.between(leastMs, mostMs));
  const now = gateway.processId();
  if (now !== pid) {
    // The manager tells of the end once it has seen it.
    await pause(500);
    const records = (await gateway.unit.messages()).slice(-8).join(' | ');
    violate(`the gateway ended of it: process ${pid}, then ${now}; ${records}`);
    return 'killed';
  }
  if (random.chance(0.5)) return 'alive';
  gateway.signal('SIGKILL');
  await pause(random.between(0, 300));
  return 'killed';
}
