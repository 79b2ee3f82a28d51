import { expect, it } from 'vitest';
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
