import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { IncomingBodies } from '../../../src/channels/http/incoming-bodies.js';
import { Problem } from '../../../src/channels/http/problem.js';

const tooLarge = () => new Problem('body-too-large', 'It is too large.');
const read = (bodies: IncomingBodies, payload: PassThrough, limitBytes: number) =>
  bodies.use(payload, limitBytes, tooLarge, (body) => body);

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('bodies on their way', () => {
  it('are read whole', async () => {
    const bodies = new IncomingBodies(100);
    const payload = new PassThrough();
    const body = read(bodies, payload, 50);
    payload.write('one ');
    payload.end('two');
    expect((await body).toString()).toBe('one two');
  });

  it('give way once they are too much together, the longest one first', async () => {
    const bodies = new IncomingBodies(60);
    const payloads = [new PassThrough(), new PassThrough(), new PassThrough()];
    const reads = payloads.map((payload) => read(bodies, payload, 60));
    for (const payload of payloads) payload.write(Buffer.alloc(40));
    await expect(reads[0]).rejects.toMatchObject({ kind: 'too-many-uploads', status: 503 });
    payloads[1]?.end();
    payloads[2]?.end();
    expect(await reads[1]).toHaveLength(40);
    expect(await reads[2]).toHaveLength(40);
    // All of their bytes are given back.
    const next = new PassThrough();
    const body = read(bodies, next, 200);
    next.end(Buffer.alloc(150));
    expect(await body).toHaveLength(150);
  });

  it('that are too large or break off take no room any more', async () => {
    const bodies = new IncomingBodies(100);
    const large = new PassThrough();
    const refused = read(bodies, large, 50);
    large.write(Buffer.alloc(60));
    await expect(refused).rejects.toMatchObject({ kind: 'body-too-large' });
    const broken = new PassThrough();
    const body = read(bodies, broken, 50);
    broken.write(Buffer.alloc(30));
    broken.destroy();
    await expect(body).rejects.toMatchObject({ kind: 'malformed-request' });
    const first = new PassThrough();
    const second = new PassThrough();
    const both = [read(bodies, first, 50), read(bodies, second, 50)];
    first.end(Buffer.alloc(50));
    second.end(Buffer.alloc(50));
    expect((await Promise.all(both)).map(({ length }) => length)).toEqual([50, 50]);
  });

  it('count until they are worked up', async () => {
    const bodies = new IncomingBodies(50);
    const done = deferred();
    const begun = deferred();
    const large = new PassThrough();
    const small = new PassThrough();
    const work = [large, small].map((payload) =>
      bodies.use(payload, 200, tooLarge, async (body) => {
        if (body.length < 100) begun.resolve();
        await done.promise;
        return body.length;
      }),
    );
    large.end(Buffer.alloc(200));
    small.end(Buffer.alloc(40));
    await begun.promise;
    const late = new PassThrough();
    const refused = read(bodies, late, 200);
    late.end(Buffer.alloc(20));
    await expect(refused).rejects.toMatchObject({
      kind: 'too-many-uploads',
      detail: 'Too many request bodies are on their way, and those before it are still worked up.',
    });
    done.resolve();
    expect(await Promise.all(work)).toEqual([200, 40]);
    const again = new PassThrough();
    const body = read(bodies, again, 200);
    again.end(Buffer.alloc(20));
    expect(await body).toHaveLength(20);
  });

  it('that can’t be worked up take no room any more', async () => {
    const bodies = new IncomingBodies(0);
    const wrong = new PassThrough();
    const failed = bodies.use(wrong, 50, tooLarge, () => {
      throw new Problem('malformed-request', 'It is wrong.');
    });
    wrong.end(Buffer.alloc(50));
    await expect(failed).rejects.toMatchObject({ kind: 'malformed-request' });
    const next = new PassThrough();
    const other = new PassThrough();
    const refused = read(bodies, next, 50);
    const taken = read(bodies, other, 50);
    next.write(Buffer.alloc(10));
    other.end(Buffer.alloc(20));
    await expect(refused).rejects.toMatchObject({ kind: 'too-many-uploads' });
    expect(await taken).toHaveLength(20);
  });
});
