import { expect, it, onTestFinished, vi } from 'vitest';
import type { GatewayLocation } from '../../../src/cli/client/locate.js';
import { noTokenAdvice } from '../../../src/cli/client/no-token.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';

it('names the start of a unit that is there, and no other gateway', async () => {
  const location = {
    scope: process.getuid?.() === 0 ? 'system' : 'user',
    unit: 'sd-gateway.service',
    directories: { state: '/nonexistent/s', runtime: '/nonexistent/r', configuration: '/nonexistent/c' },
  } as unknown as GatewayLocation;
  const advice = await noTokenAdvice(parseCommand(findCommand('send'), ['hi']), location, false);
  expect(advice).toContain('sd-gateway start');
  expect(advice).not.toContain('sd-gateway install');
});

it.each([
  [['hi'], ', set SD_GATEWAY_TOKEN to it, and add --system.'],
  [['--system', 'hi'], ' and set SD_GATEWAY_TOKEN to it.'],
])('of the system’s gateway tells a user no option that %j has', async (words, end) => {
  vi.spyOn(process, 'getuid').mockReturnValue(1_000);
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const directories = { state: '/nonexistent/s', runtime: '/nonexistent/r', configuration: '/nonexistent/c' };
  const location = { scope: 'system', unit: 'x.service', directories } as unknown as GatewayLocation;
  const advice = await noTokenAdvice(parseCommand(findCommand('send'), words), location, true);
  expect(advice.endsWith(end)).toBe(true);
});
