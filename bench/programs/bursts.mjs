// The senders' side of native/receiver.c: descriptor 4 tells it to drain, descriptor 5 has its answers.
import { readSync, writeSync } from 'node:fs';

const order = Buffer.alloc(4);
const answer = Buffer.alloc(16);

function receiverAnswer() {
  for (let size = 0; size < 16; ) {
    const count = readSync(5, answer, size, 16 - size, null);
    if (count === 0) throw new Error('The receiver has ended.');
    size += count;
  }
}

/** Has the receiver take in `size` units. */
export function drain(size) {
  order.writeUInt32LE(size);
  writeSync(4, order);
  receiverAnswer();
}

/** Calls `sendOne` for 0 to count - 1 in bursts, and gives the time within it. */
export function inBursts(count, burst, sendOne) {
  let spent = 0n;
  receiverAnswer();
  for (let done = 0; done < count; ) {
    const end = Math.min(done + burst, count);
    const began = process.hrtime.bigint();
    for (let i = done; i < end; i++) sendOne(i);
    spent += process.hrtime.bigint() - began;
    drain(end - done);
    done = end;
  }
  return spent;
}

/** Writes the result as one line of JSON on descriptor 9: standard output and error may be part of the measurement. */
export function report(spent) {
  writeSync(
    9,
    `${JSON.stringify({
      nanoseconds: Number(spent),
      received: Number(answer.readBigUInt64LE(0)),
      hash: answer.readBigUInt64LE(8).toString(16).padStart(16, '0'),
    })}\n`,
  );
}

export { receiverAnswer };
