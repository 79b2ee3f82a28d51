import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseSignalRecords, recordSize } from '../../src/systemd/signal.js';

/** As the handler writes it: numbers in this machine's order, and the first bytes of /proc/PID/comm. */
function record(
  numbers: readonly [signal: number, code: number, pid: number, uid: number],
  comm: Uint8Array,
) {
  const bytes = new Uint8Array(recordSize);
  new Int32Array(bytes.buffer, 0, 4).set(numbers);
  bytes.set(comm.subarray(0, recordSize - 16), 16);
  return bytes;
}

const text = (comm: string) => new TextEncoder().encode(comm);

it.each([
  ['a name', 'sh\n', 'sh'],
  ['a name that fills all', 'fifteen letters\n', 'fifteen letters'],
  ['the longer name of a kernel thread', 'kworker/u8:0-events_unbound\n', 'kworker/u8:0-eve'],
  ['a line feed that is part of it', 'a\n\n', 'a\n'],
  ['no name', '', null],
  ['a name of nothing', '\n', null],
])('reads %s', (_what, comm, expected) => {
  expect(parseSignalRecords(record([15, 0, 7, 2 ** 32 - 2], text(comm)))).toEqual([
    { signal: 15, code: 0, pid: 7, uid: 2 ** 32 - 2, comm: expected },
  ]);
});

it('reads all records that are whole, wherever they lie in memory', () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const one = fc.record({
    numbers: fc.tuple(int32, int32, int32, fc.nat({ max: 2 ** 32 - 1 })),
    comm: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(
      fc.array(one),
      fc.nat({ max: 9 }),
      fc.nat({ max: recordSize - 1 }),
      (records, before, rest) => {
        const data = Buffer.concat([
          Buffer.alloc(before),
          ...records.map(({ numbers, comm }) => record(numbers, comm)),
          Buffer.alloc(rest, 1),
        ]);
        const parsed = parseSignalRecords(data.subarray(before));
        expect(parsed.map(({ signal, code, pid, uid }) => [signal, code, pid, uid])).toEqual(
          records.map(({ numbers }) => numbers),
        );
      },
    ),
  );
});
