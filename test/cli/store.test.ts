import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../../src/cli/store.js';
import { findCommand, parseCommand } from '../../src/cli/usage.js';
import { SystemctlDouble } from './systemctl-double.js';

it('names the recovery of the instance that was checked', async () => {
  const double = new SystemctlDouble();
  const state = join(double.home, 'STATE_HOME/sd-gateway-t2');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'gateway.db'), 'no database'.repeat(1_000));
  // It says that the database was the gateway's.
  writeFileSync(join(state, 'gateway.db-seal'), 'closed');
  await run(parseCommand(findCommand('store'), ['check', '--user', '--instance', 't2']));
  const { said } = double;
  double.remove();
  expect(said).toContain('sd-gateway store recover --user --instance t2');
});
