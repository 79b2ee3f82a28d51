import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Place } from './foreground.js';

// Each waits for ten seconds, so they wait side by side.
describe.concurrent('a gateway that hangs', () => {
  const inPlace = async (act: (place: Place) => Promise<void>): Promise<void> => {
    const place = new Place();
    try {
      await act(place);
    } finally {
      place.remove();
    }
  };

  it('is not waited for without end by a stop, and does as it was told once it goes on', () =>
    inPlace(async (place) => {
      const gateway = await place.start();
      gateway.child.kill('SIGSTOP');
      const stopped = await place.run(['stop']);
      expect(stopped.stderr).toMatch(
        /within 10 s; the one that is there may hang\. If it goes on, it carries the stop out/,
      );
      expect(stopped.status).toBe(69);
      gateway.child.kill('SIGCONT');
      expect((await gateway.end).status).toBe(0);
    }));

  it('is waited for no longer than was asked for by a message that is sent', () =>
    inPlace(async (place) => {
      const path = join(place.directory, 'silent.sock');
      const silent = createServer((socket) => socket.on('error', () => undefined)).listen(path);
      const ended = await place.run(['send', '--url', `unix:${path}`, '--wait', '1s', 'x'], {
        SD_GATEWAY_TOKEN: 'x',
      });
      silent.close();
      expect(ended.stderr).toContain(
        `the gateway at unix:${path} gave no answer (nothing came within 10 s; it may hang): it may have accepted the message.`,
      );
      expect(ended.status).toBe(75);
    }));
});
