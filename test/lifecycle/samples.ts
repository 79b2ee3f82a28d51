import { judgeSupervision, type Supervision } from '../../src/lifecycle/supervision.js';
import type { SupervisionEvidence } from '../../src/systemd/evidence.js';
import type { SignalDelivery } from '../../src/systemd/signals.js';

export const invocationId = '0123456789abcdef0123456789abcdef';

/** A process that nothing supervises: started by a shell in a login session. */
export const byHand: SupervisionEvidence = {
  pid: 500,
  parentPid: 400,
  uid: 1000,
  invocationId: null,
  notifySocket: null,
  systemdExecPid: null,
  journalStream: null,
  managerPid: null,
  standardError: '1:2',
  terminal: true,
  ancestors: [
    { pid: 400, comm: 'bash' },
    { pid: 300, comm: 'sshd' },
    { pid: 1, comm: 'systemd' },
  ],
  cgroup: '/user.slice/user-1000.slice/session-3.scope',
  booted: true,
};

/** The main process of a unit of the system manager. */
export const systemUnit: SupervisionEvidence = {
  ...byHand,
  parentPid: 1,
  invocationId,
  notifySocket: '/run/systemd/notify',
  systemdExecPid: '500',
  journalStream: '1:2',
  terminal: false,
  ancestors: [{ pid: 1, comm: 'systemd' }],
  cgroup: '/system.slice/sd-gateway.service',
};

/** The main process of a unit of a user manager. */
export const userUnit: SupervisionEvidence = {
  ...systemUnit,
  parentPid: 350,
  managerPid: '350',
  ancestors: [
    { pid: 350, comm: 'systemd' },
    { pid: 1, comm: 'systemd' },
  ],
  cgroup: '/user.slice/user-1000.slice/user@1000.service/app.slice/sd-gateway.service',
};

/** Below `npm start` in a unit. */
export const wrapped: SupervisionEvidence = {
  ...systemUnit,
  parentPid: 450,
  systemdExecPid: '440',
  ancestors: [
    { pid: 450, comm: 'sh' },
    { pid: 440, comm: 'npm start' },
    { pid: 1, comm: 'systemd' },
  ],
};

/** Below a terminal that a user unit had started. */
export const inTerminal: SupervisionEvidence = {
  ...userUnit,
  parentPid: 460,
  systemdExecPid: '455',
  terminal: true,
  ancestors: [
    { pid: 460, comm: 'bash' },
    { pid: 455, comm: 'terminal' },
    { pid: 350, comm: 'systemd' },
    { pid: 1, comm: 'systemd' },
  ],
  cgroup: '/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope',
};

export function supervision(
  evidence: SupervisionEvidence,
  configured: 'auto' | 'container' = 'auto',
): Supervision {
  return judgeSupervision(evidence, configured);
}

export function delivery(part: Partial<SignalDelivery>): SignalDelivery {
  return { signal: 'SIGTERM', code: 'SI_USER', senderPid: 999, senderUid: 0, senderComm: 'kill', ...part };
}
