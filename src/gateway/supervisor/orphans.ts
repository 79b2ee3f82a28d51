import { adoptOrphans, reap, zombieChildren } from '../../linux/process.js';
import type { SideWork } from './side-work.js';

const lookIntervalMs = 2_000;

/**
 * Reaps what agents' programs leave behind, for a gateway that the kernel makes the parent of each process whose own parent
 * has ended. Goes on until the process ends.
 *
 * Node.js reaps the gateway's own children, and tells of their end only if nobody else has reaped them. It does so between
 * two immediates. So a child is reaped here that was a zombie at the look before, too.
 */
export function reapOrphans(sideWork: Pick<SideWork, 'run'>, intervalMs = lookIntervalMs): void {
  let before: readonly number[] = [];
  const look = () => {
    const now = zombieChildren();
    const orphans = now.filter((pid) => before.includes(pid));
    before = now;
    for (const pid of orphans) reap(pid);
  };
  const run = () => sideWork.run('Reaping processes that were left behind', look);
  setInterval(() => setImmediate(run), intervalMs).unref();
}

/**
 * Makes the gateway the parent of what agents' programs leave behind, by which it is known to be theirs. As PID 1 it is that
 * already, and also of what others start in its container.
 */
export function adoptAgentOrphans(sideWork: Pick<SideWork, 'run'>): void {
  if (process.pid === 1) return;
  sideWork.run('Adopting processes that are left behind', () => {
    adoptOrphans();
    reapOrphans(sideWork);
  });
}
