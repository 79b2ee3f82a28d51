import { expect, onTestFinished, test } from 'vitest';
import { Place } from './foreground.js';

function placed(): Place {
  const place = new Place();
  onTestFinished(() => place.remove());
  return place;
}

test('the step after a wait that was too short is about the instance, and can be typed as it is', {
  timeout: 60_000,
}, async () => {
  const place = placed();
  await place.start({ SD_GATEWAY_AGENT_COMMAND: '["/bin/sleep", "600"]' }, '--instance', 't2');
  const { status, stderr } = await place.run(['send', '--wait', '100ms', '--instance', 't2', 'hello']);
  expect(status).toBe(75);
  const [, step = ''] = /To read its reply later: sd-gateway (.*)\n/.exec(stderr) ?? [];
  expect(step).toMatch(/^show [0-9a-f-]{36} --instance t2$/);
  const shown = await place.run(step.split(' '));
  expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining('hello') });
});

test('a gateway whose configuration can’t be used names the check of its own', async () => {
  const { status, stderr } = await placed().run(['run', '--instance', 't2'], {
    SD_GATEWAY_DISPATCH_CONCURRENCY: 'many',
  });
  expect(status).toBe(78);
  expect(stderr).toContain('sd-gateway check-config --instance t2');
});
