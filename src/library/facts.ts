import { judgeSupervision, type Supervision } from '../lifecycle/supervision.js';
import { booted as isBooted, readSupervisionEvidence } from '../systemd/evidence.js';

/** sd_booted(3): true if systemd is the init of this machine. */
export function booted(): boolean {
  return process.platform === 'linux' && isBooted();
}

let known: Supervision | null = null;

/**
 * Finds the supervisor of this process: the manager, the unit and the invocation. Tells if they are its own or merely
 * inherited, as in a shell that a service has started. Reads them once: later the environment and the parents may be
 * others'.
 */
export function supervision(): Supervision {
  // As PID 1 of a container the process is asked to stop by the container's runtime.
  known ??= judgeSupervision(
    readSupervisionEvidence(process.env, booted()),
    process.pid === 1 ? 'container' : 'auto',
  );
  return known;
}
