import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayClient } from '../../src/cli/gateway-client.js';
import { IdleMemory, idleAfter, judgeMemory, worthwhile } from '../../src/gateway/idle-memory.js';
import { Place } from '../cli/foreground.js';
import { ManualClock, recordingLog } from '../dispatch/fixture.js';

const mebibyte = 1024 ** 2;

describe('whether memory is handed back', () => {
  const rested = { now: 100_000, lastWorkAt: 100_000 - idleAfter };

  it.each([
    ['at the first rest', { resident: 90 * mebibyte, residentAtRest: null }, 'release'],
    ['when a load has taken much', { resident: 180 * mebibyte, residentAtRest: 75 * mebibyte }, 'release'],
    [
      'when it is just enough',
      { resident: 75 * mebibyte + worthwhile, residentAtRest: 75 * mebibyte },
      'release',
    ],
    [
      'when it is little',
      { resident: 75 * mebibyte + worthwhile - 1, residentAtRest: 75 * mebibyte },
      'keep',
    ],
    ['when there is less than before', { resident: 60 * mebibyte, residentAtRest: 75 * mebibyte }, 'keep'],
  ])('%s', (_, facts, action) => {
    expect(judgeMemory({ ...rested, ...facts })).toEqual({ action });
  });

  it('not before the gateway has rested, however much it is', () => {
    const facts = { now: 100_000, resident: 900 * mebibyte, residentAtRest: 75 * mebibyte };
    expect(judgeMemory({ ...facts, lastWorkAt: 100_000 })).toEqual({
      action: 'wait',
      milliseconds: idleAfter,
    });
    expect(judgeMemory({ ...facts, lastWorkAt: 100_001 - idleAfter })).toEqual({
      action: 'wait',
      milliseconds: 1,
    });
  });
});

/** One whose process has so much memory as the test says, and hands back when it says so. */
function fixture() {
  const clock = new ManualClock();
  const { log, records } = recordingLog();
  const state = { resident: 100 * mebibyte, releases: 0 };
  let settle: (error: Error | null) => void = () => undefined;
  const memory = new IdleMemory({
    clock,
    log,
    resident: () => state.resident,
    release: () => {
      state.releases += 1;
      return new Promise((resolve, reject) => {
        settle = (error) => (error === null ? resolve() : reject(error));
      });
    },
  });
  /** Ends the release that is under way. */
  const released = async (resident: number, error: Error | null = null) => {
    state.resident = resident;
    settle(error);
    await new Promise(setImmediate);
  };
  return { clock, records, state, memory, released };
}

describe('the memory of a gateway at rest', () => {
  it('is handed back once after work, and not again without any', async () => {
    const { clock, memory, state, released, records } = fixture();
    memory.worked();
    clock.advance(idleAfter - 1);
    expect(state.releases).toBe(0);
    clock.advance(1);
    expect(state.releases).toBe(1);
    await released(70 * mebibyte);
    expect(records.map(({ message }) => message)).toEqual([
      'At rest: handed back memory, 100 MiB before, 70 MiB now.',
    ]);
    clock.advance(100 * idleAfter);
    expect(state.releases).toBe(1);
    expect(clock.timers).toBe(0);
  });

  it('has one timer, however many messages come, and waits for the last of them', () => {
    const { clock, memory, state } = fixture();
    for (let message = 0; message < 100; message++) {
      memory.worked();
      clock.advance(idleAfter / 10);
      expect(clock.timers).toBe(1);
    }
    expect(state.releases).toBe(0);
    clock.advance(idleAfter);
    expect(state.releases).toBe(1);
  });

  it('is left alone by a message now and then', async () => {
    const { clock, memory, state, released } = fixture();
    memory.worked();
    clock.advance(idleAfter);
    await released(70 * mebibyte);
    state.resident = 71 * mebibyte;
    memory.worked();
    clock.advance(2 * idleAfter);
    expect(state.releases).toBe(1);
    state.resident = 120 * mebibyte;
    memory.worked();
    clock.advance(2 * idleAfter);
    expect(state.releases).toBe(2);
  });

  it('is looked at again for work that came while it was handed back', async () => {
    const { clock, memory, state, released } = fixture();
    memory.worked();
    clock.advance(idleAfter);
    memory.worked();
    expect(clock.timers).toBe(0);
    await released(70 * mebibyte);
    state.resident = 150 * mebibyte;
    clock.advance(idleAfter);
    expect(state.releases).toBe(2);
  });

  it('stays where it can not be handed back, which is said once', async () => {
    const { clock, memory, state, released, records } = fixture();
    memory.worked();
    clock.advance(idleAfter);
    await released(100 * mebibyte, new Error('Inspector is not available'));
    memory.worked();
    clock.advance(10 * idleAfter);
    expect(state.releases).toBe(1);
    expect(records).toEqual([
      {
        priority: 'info',
        message: "Memory that is not needed can't be handed back: Inspector is not available",
      },
    ]);
  });

  it('is no trouble to a stop that begins while it is handed back', async () => {
    const { clock, memory, released, records } = fixture();
    memory.worked();
    clock.advance(idleAfter);
    memory.close();
    await released(100 * mebibyte, new Error('The store is closed'));
    expect(records).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it('is not touched after the end', () => {
    const { clock, memory, state } = fixture();
    memory.worked();
    memory.close();
    memory.worked();
    clock.advance(10 * idleAfter);
    expect(state.releases).toBe(0);
    expect(clock.timers).toBe(0);
  });
});

describe('a gateway', () => {
  const place = new Place();
  afterEach(() => place.remove());

  /** Of proc_pid_status(5), in KiB. */
  function resident(pid: number | undefined): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  }

  it('has less resident memory at rest than under load, and works on', { timeout: 120_000 }, async () => {
    const gateway = await place.start({ SD_GATEWAY_LOG_LEVEL: 'debug' });
    const { directory } = place;
    const token = readFileSync(join(directory, 'state/token'), 'utf8').trim();
    const client = new GatewayClient(`unix:${directory}/http.sock`, token);
    const post = (session: string) =>
      client.post(`/v1/sessions/${session}/messages`, { text: 'x'.repeat(1_000) }, {});
    await Promise.all(
      Array.from({ length: 16 }, async (_, session) => {
        for (let message = 0; message < 150; message++) {
          expect((await post(`s${session}`)).status).toBe(202);
        }
      }),
    );
    const loaded = resident(gateway.child.pid);
    await gateway.says('At rest: handed back memory');
    expect(resident(gateway.child.pid)).toBeLessThan(loaded);
    const { status, body } = await post('after');
    expect(status).toBe(202);
    const answer = await client.get(`/v1/messages/${body?.['id']}?wait=30`);
    expect(answer.body).toMatchObject({ state: 'replied' });
    await place.run(['stop']);
    const { stderr } = await gateway.end;
    // The log, and no warning of Node.js's beside it.
    expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toEqual([]);
  });
});
