import { type Fault, livesThrough, type Surroundings } from './fault.js';
import type { LogDamage } from './gateway.js';

/** Longest time until the next start has ended one way or the other, in milliseconds. */
const patienceMs = 30_000;

/**
 * Kills the gateway, and damages the write-ahead log before the next start. That start either needs nothing of what is
 * damaged, or is refused with status 78 and names the command that saves the rest.
 */
async function killAndDamage(surroundings: Surroundings, damage: LogDamage): Promise<'served' | 'refused'> {
  const { gateway, pause, random, violate } = surroundings;
  if (random.chance(0.3)) await failReads(surroundings);
  const before = (await gateway.unit.show('MainPID'))['MainPID'];
  gateway.orderLogDamage(damage);
  gateway.signal('SIGKILL');
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const shown = await gateway.unit.show('ActiveState', 'MainPID', 'ExecMainStatus', 'StatusText');
    if (shown['ActiveState'] === 'active' && shown['MainPID'] !== before) return 'served';
    if (shown['ActiveState'] === 'failed') {
      const { ExecMainStatus: status, StatusText: text = '' } = shown;
      if (status !== '78' || !text.includes('store recover')) {
        violate(`the start was refused with ${status}: ${text}`);
      }
      return 'refused';
    }
    if (performance.now() > deadline) throw new Error(`No start has ended: ${JSON.stringify(shown)}`);
    await pause(20);
  }
}

/** The disk can't read for a moment. What is accepted behind that has to be known to the next start as well. */
async function failReads({ gateway, pause, random }: Surroundings): Promise<void> {
  gateway.failStore(1);
  await pause(random.between(100, 400));
  gateway.failStore(0);
  await pause(random.between(100, 400));
}

/** `sd-gateway store recover`, which makes a database whatever is damaged. */
async function recover({ gateway, violate }: Surroundings): Promise<void> {
  const { status, stdout, stderr } = await gateway.recoverStore();
  if (status > 1 || !/^{.*"messages":\d/.test(stdout)) {
    violate(`"store recover" ended with ${status}: ${stdout}${stderr}`);
  }
}

async function start({ gateway, violate }: Surroundings): Promise<void> {
  if ((await gateway.unit.attempt('start')) === 0) return;
  const { StatusText } = await gateway.unit.show('StatusText');
  violate(`the start after it failed: ${StatusText}`);
}

/** Faults of the write-ahead log, besides those of power cuts. Nothing is lost that the damage has left. */
export const logFaults: readonly Fault[] = [
  {
    name: 'log moved away at a kill',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { gateway, random } = surroundings;
      const outcome = await killAndDamage(surroundings, { kind: 'moved', seed: random.between(1, 2 ** 30) });
      if (outcome === 'served') return;
      await gateway.putLogBack();
      await start(surroundings);
    },
  },
  {
    name: 'checksum of the log damaged at a kill',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { random } = surroundings;
      const damage = { kind: 'checksum', seed: random.between(1, 2 ** 30) } as const;
      if ((await killAndDamage(surroundings, damage)) === 'served') return;
      // All pages are whole: the recovered database has everything.
      await recover(surroundings);
      await start(surroundings);
    },
  },
  {
    name: 'log damaged at a kill',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { gateway, random } = surroundings;
      const kind = random.chance(0.5) ? 'bit' : 'cut';
      const outcome = await killAndDamage(surroundings, { kind, seed: random.between(1, 2 ** 30) });
      if (outcome === 'served') return;
      await recover(surroundings);
      // A page that is gone is lost: the run goes on with the files as they were before the damage.
      await gateway.putStoreBack();
      await start(surroundings);
    },
  },
  {
    name: 'long reader on a full disk',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { gateway, random, pause } = surroundings;
      const reader = gateway.startWorker('read-long.mjs', ...gateway.readerArguments);
      try {
        await reader.firstLine();
        await pause(random.between(100, 500));
        await gateway.fillDisk();
        await livesThrough(surroundings, 100, 1_000);
      } finally {
        await reader.end();
        await pause(random.between(0, 500));
        gateway.freeDisk();
      }
    },
  },
];
