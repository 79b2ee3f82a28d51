import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { IncomingBodies } from '../../../src/channels/http/incoming-bodies.js';
import { Problem } from '../../../src/channels/http/problem.js';

const tooLarge = () => new Problem('body-too-large', 'It is too large.');

describe('bodies on their way', () => {
  it('are read whole', async () => {
    const bodies = new IncomingBodies(100);
    const payload = new PassThrough();
    const read = bodies.read(payload, 50, tooLarge);
    payload.write('one ');
    payload.end('two');
    expect((await read).toString()).toBe('one two');
  });

  it('give way once they are too much together, the longest one first', async () => {
    const bodies = new IncomingBodies(100);
    const payloads = [new PassThrough(), new PassThrough(), new PassThrough()];
    const reads = payloads.map((payload) => bodies.read(payload, 60, tooLarge));
    for (const payload of payloads) payload.write(Buffer.alloc(40));
    await expect(reads[0]).rejects.toMatchObject({ kind: 'too-many-uploads', status: 503 });
    payloads[1]?.end();
    payloads[2]?.end();
    expect(await reads[1]).toHaveLength(40);
    expect(await reads[2]).toHaveLength(40);
    // All of their bytes are given back.
    const next = new PassThrough();
    const read = bodies.read(next, 200, tooLarge);
    next.end(Buffer.alloc(150));
    expect(await read).toHaveLength(150);
  });

  it('that are too large or break off take no room any more', async () => {
    const bodies = new IncomingBodies(100);
    const large = new PassThrough();
    const refused = bodies.read(large, 50, tooLarge);
    large.write(Buffer.alloc(60));
    await expect(refused).rejects.toMatchObject({ kind: 'body-too-large' });
    const broken = new PassThrough();
    const read = bodies.read(broken, 50, tooLarge);
    broken.write(Buffer.alloc(30));
    broken.destroy();
    await expect(read).rejects.toMatchObject({ kind: 'malformed-request' });
    const first = new PassThrough();
    const second = new PassThrough();
    const both = [bodies.read(first, 50, tooLarge), bodies.read(second, 50, tooLarge)];
    first.end(Buffer.alloc(50));
    second.end(Buffer.alloc(50));
    expect((await Promise.all(both)).map(({ length }) => length)).toEqual([50, 50]);
  });
});
