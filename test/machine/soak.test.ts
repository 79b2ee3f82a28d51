import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { meansOf, type Sample, slopeOf } from '../crash/slope.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';
import { Poster } from './load/poster.js';

/** `npm run soak`: an hour; SOAK_MINUTES says otherwise. */
const onDemand = process.env['SOAK_MINUTES'] !== undefined;
const minutes = Number(process.env['SOAK_MINUTES'] ?? 0.1);
const clients = 50;
/** The gateway collects its garbage after a whole minute of rest, which may begin in the middle of one; milliseconds. */
const restMs = 150_000;
/** Looks at the memory at rest, a minute apart: one may come right behind work of the store's own, such as to forget. */
const looks = 4;
/** At rest, in bytes: the most that may be resident, and by how much two rests may differ. */
const mostAtRest = 120 * 1024 ** 2;
const differenceAtRest = 16 * 1024 ** 2;
/** Parts of an hour’s three last quarters: five minutes each. */
const parts = 9;

describeOnMachine('a gateway at half of its peak for long', (machine) => {
  it('needs no more memory and no more descriptors', { timeout: minutes * 60_000 + 2_400_000 }, async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'soak',
      service: ['WatchdogSec=10', 'FileDescriptorStoreMax=512'],
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:8733', SD_GATEWAY_STORE_KEEP: '1min' },
    });
    await gateway.succeed('start');
    const process_ = await processOf(gateway);
    const load = (rate: number, sessions: string) =>
      new Poster(machine(), {
        address: 'http://127.0.0.1:8733',
        tokenFile: `${gateway.stateDirectory}/token`,
        clients,
        rate,
        sessions,
      });
    // Messages that are accepted and worked off count: posts alone are taken faster than their turns are run.
    const peakBegan = performance.now();
    const peakLoad = load(1_000_000, 'peak');
    await pause(onDemand ? 20_000 : 2_000);
    const peakReport = await peakLoad.end();
    await gateway.waitForStatus('0 running, 0 waiting', 120_000);
    const taken = peakReport.answers - peakReport.failures.length;
    const peak = (taken * 1_000) / (performance.now() - peakBegan);
    // With all that it opens once.
    const filesBefore = process_.files();
    const before = filesBefore.length;
    /**
     * Once the heaps have shrunk: under load V8 has room to spare, more or less from hour to hour. The store is at rest,
     * too, after a round of what it forgets, of which there is one each ten minutes.
     */
    const atRest = async () => {
      const since = `--since=@${Math.floor(Date.now() / 1_000)}`;
      const hasForgotten = async () =>
        (await gateway.journal(since)).some((record) => record['MESSAGE']?.startsWith('Forgot '));
      while (onDemand && !(await hasForgotten())) await pause(5_000);
      if (!onDemand) return process_.residentBytes();
      await pause(restMs);
      let least = process_.residentBytes();
      for (let look = 1; look < looks; look += 1) {
        await pause(60_000);
        least = Math.min(least, process_.residentBytes());
      }
      return least;
    };
    const restBefore = await atRest();

    const text = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
    const memory: Sample[] = [];
    const descriptors: Sample[] = [];
    const half = load(peak / 2, 'half');
    const began = performance.now();
    while (performance.now() - began < minutes * 60_000) {
      await pause(onDemand ? 5_000 : 500);
      const at = (performance.now() - began) / 1_000;
      memory.push({ at, value: process_.residentBytes() });
      descriptors.push({ at, value: process_.descriptors() });
      // A run that is cut off leaves a record all the same.
      if (memory.length % 60 === 0) {
        const now = `${text(memory.at(-1)?.value ?? 0)}, ${descriptors.at(-1)?.value} descriptors`;
        process.stdout.write(`after ${(at / 60).toFixed(0)} min: ${now}\n`);
      }
    }
    const report = await half.end();
    await gateway.waitForStatus('0 running, 0 waiting', 120_000);
    await gateway.waitFor({ StatusText: () => process_.descriptors() <= before }).catch((cause: unknown) => {
      const lists = { before: filesBefore, now: process_.files() };
      throw new Error(`More descriptors are open: ${JSON.stringify(lists, null, 1)}`, { cause });
    });
    const restAfter = await atRest();
    // The first quarter is for caches and heaps to fill.
    const settled = <Item>(samples: readonly Item[]) => samples.slice(Math.floor(samples.length / 4));
    const growth = slopeOf(meansOf(settled(memory), parts));
    const most = Math.max(...memory.map(({ value }) => value));
    process.stdout.write(
      `\npeak ${peak.toFixed(0)} posts/s; ${report.answers} posts at ${(report.answers / report.seconds).toFixed(0)}/s in ${(report.seconds / 60).toFixed(1)} min, ${report.failures.length} failed\n` +
        `resident memory: ${text(settled(memory)[0]?.value ?? 0)} after a quarter, ${text(memory.at(-1)?.value ?? 0)} at the end, ${text(most)} at most; slope ${text(growth.perSecond * 3_600)} ± ${text(growth.error * 3_600)} an hour\n` +
        `at rest: ${text(restBefore)} before, ${text(restAfter)} afterwards\n` +
        `descriptors: ${before} before, ${Math.max(...descriptors.map(({ value }) => value))} at most, ${process_.descriptors()} afterwards\n`,
    );
    // A few tell what all are.
    expect(report.failures.slice(0, 5)).toEqual([]);
    expect(Math.max(...descriptors.map(({ value }) => value))).toBeLessThan(before + 2 * clients + 20);
    if (onDemand) expect(restAfter).toBeLessThan(Math.min(restBefore + differenceAtRest, mostAtRest));
    await gateway.succeed('stop');
  });
});

/** The gateway as it is seen from outside of the machine: to look at it costs it nothing. */
async function processOf(gateway: GatewayUnit) {
  const pid = await gateway.outsidePid();
  const directory = `/proc/${pid}/fd`;
  return {
    residentBytes: () =>
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024,
    descriptors: () => readdirSync(directory).length,
    files: () => readdirSync(directory).flatMap((descriptor) => fileOf(`${directory}/${descriptor}`) ?? []),
  };
}

/** Null if it has been closed meanwhile. */
function fileOf(descriptor: string): string | null {
  try {
    return readlinkSync(descriptor);
  } catch {
    return null;
  }
}
