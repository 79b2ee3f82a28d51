import { expect, it } from 'vitest';
import { callSiteAbove } from '../../src/log/call-site.js';

function said() {
  return callSiteAbove(said);
}

it('names the file, the line and the function that a record comes from', () => {
  function speaker() {
    return said();
  }
  const site = speaker();
  expect(site.CODE_FILE).toMatch(/^\/.*call-site\.test\.ts$/);
  expect(Number(site.CODE_LINE)).toBeGreaterThan(0);
  expect(site.CODE_FUNC).toBe('speaker');
});

it('leaves the depth of other stack traces alone', () => {
  const before = Error.stackTraceLimit;
  said();
  expect(Error.stackTraceLimit).toBe(before);
});
