import { agentAway } from './agent-away.js';
import { busFaults } from './bus-faults.js';
import { type Fault, livesThrough, type Surroundings } from './fault.js';
import { heldConnections } from './held-connections.js';
import { logFaults } from './log-faults.js';

const kill =
  (signal: NodeJS.Signals): Fault['inject'] =>
  async ({ gateway }) =>
    gateway.signal(signal);

/** At a commit point: right before or after the store's data are on disk. */
const killAtSync =
  (when: 'before' | 'after'): Fault['inject'] =>
  async ({ gateway, random }) =>
    gateway.killAtSync(random.between(1, 8), when);

/** The receiver does this for a while; half of the times the gateway is killed in the middle of it. */
const receiver =
  (behaviour: string): Fault['inject'] =>
  async ({ gateway, receiver: server, random, pause }) => {
    server.tell(behaviour);
    await pause(random.between(100, 600));
    if (random.chance(0.5)) gateway.signal('SIGKILL');
    await pause(random.between(0, 200));
    server.tell('well');
  };

/** Returns true if the gateway's process has ended within so many milliseconds. */
async function endsWithin({ gateway, pause }: Surroundings, pid: number, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience;
  while (performance.now() < deadline) {
    if (gateway.processId() !== pid) return true;
    await pause(20);
  }
  return false;
}

export const faults: readonly Fault[] = [
  { name: 'SIGKILL', weight: 14, endsGateway: true, inject: kill('SIGKILL') },
  { name: 'SIGABRT', weight: 6, endsGateway: true, inject: kill('SIGABRT') },
  { name: 'SIGSEGV', weight: 4, endsGateway: true, inject: kill('SIGSEGV') },
  { name: 'a stray SIGTERM', weight: 4, endsGateway: true, inject: kill('SIGTERM') },
  { name: 'SIGSTOP until the watchdog', weight: 2, endsGateway: true, inject: kill('SIGSTOP') },
  { name: 'SIGKILL before a sync', weight: 10, endsGateway: true, inject: killAtSync('before') },
  { name: 'SIGKILL after a sync', weight: 10, endsGateway: true, inject: killAtSync('after') },
  {
    name: 'power cut',
    weight: 12,
    endsGateway: true,
    async inject({ gateway, random }) {
      gateway.orderPowerCut(random.chance(0.5) ? 0 : random.between(1, 2 ** 30));
      gateway.signal('SIGKILL');
    },
  },
  {
    name: 'power cut at a sync',
    weight: 12,
    endsGateway: true,
    async inject({ gateway, random }) {
      gateway.orderPowerCut(random.chance(0.5) ? 0 : random.between(1, 2 ** 30));
      gateway.killAtSync(random.between(1, 8), random.chance(0.5) ? 'before' : 'after');
    },
  },
  {
    name: 'no more memory',
    weight: 3,
    endsGateway: true,
    async inject(surroundings) {
      const { gateway } = surroundings;
      const pid = gateway.processId();
      if (pid === null) return;
      gateway.takeMemory(pid);
      // It may get along with what it has.
      if (!(await endsWithin(surroundings, pid, 1_000))) gateway.signal('SIGKILL');
    },
  },
  {
    name: 'OOM killer',
    weight: 5,
    endsGateway: true,
    isPossible: ({ memoryLimit }) => memoryLimit !== null,
    async inject(surroundings) {
      const { gateway, random } = surroundings;
      const { memoryLimit } = gateway;
      const pid = gateway.processId();
      if (memoryLimit === null || pid === null) return;
      await memoryLimit.set(pid, random.between(1, 16) * 2 ** 18);
      const killed = await endsWithin(surroundings, pid, 10_000);
      if (!killed) gateway.signal('SIGKILL');
      await memoryLimit.lift();
      if (!killed) throw new Error('The limit of its memory did not end the gateway within 10 s.');
    },
  },
  {
    name: 'I/O errors',
    weight: 6,
    endsGateway: false,
    async inject({ gateway, random, pause }) {
      gateway.failStore(random.between(1, 7));
      await pause(random.between(100, 800));
      if (random.chance(0.5)) {
        if (random.chance(0.5)) gateway.orderPowerCut(random.chance(0.5) ? 0 : random.between(1, 2 ** 30));
        gateway.signal('SIGKILL');
      }
      await pause(random.between(0, 400));
      gateway.failStore(0);
    },
  },
  {
    name: 'full disk',
    weight: 5,
    endsGateway: false,
    async inject({ gateway, random, pause }) {
      await gateway.fillDisk();
      await pause(random.between(100, 800));
      if (random.chance(0.5)) gateway.signal('SIGKILL');
      await pause(random.between(0, 800));
      gateway.freeDisk();
    },
  },
  {
    name: 'wall clock jumps',
    weight: 6,
    endsGateway: false,
    async inject({ gateway, random, pause }) {
      gateway.setClock(random.between(-3_600, 3_600));
      await pause(random.between(50, 400));
      if (random.chance(0.5)) gateway.signal('SIGKILL');
    },
  },
  { name: 'receiver hangs', weight: 4, endsGateway: false, inject: receiver('hang') },
  { name: 'receiver resets', weight: 4, endsGateway: false, inject: receiver('reset') },
  { name: 'receiver fails', weight: 4, endsGateway: false, inject: receiver('fail') },
  { name: 'receiver lies', weight: 4, endsGateway: false, inject: receiver('lie') },
  {
    name: 'systemctl restart',
    weight: 6,
    endsGateway: false,
    async inject({ gateway }) {
      await gateway.unit.attempt('restart');
    },
  },
  {
    name: 'systemctl stop, then start',
    weight: 4,
    endsGateway: false,
    async inject({ gateway }) {
      await gateway.unit.attempt('stop');
      await gateway.unit.attempt('start');
    },
  },
  ...busFaults,
  heldConnections,
  agentAway,
  {
    name: 'agents’ server away',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { agents } = surroundings;
      agents.tell('away');
      await livesThrough(surroundings, 100, 1_500);
      agents.tell('back');
    },
  },
  ...logFaults,
];
