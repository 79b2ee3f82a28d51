import { expect, it } from 'vitest';
import { judgeVerification } from '../../src/units/verify.js';

const path = '/tmp/check/sd-gateway.service';
const ignored =
  "/etc/systemd/system/sd-gateway.service.d/own.conf:3: Unknown key 'Foo' in section [Service], ignoring.";
const refused = 'sd-gateway.service: Service has more than one ExecStart= setting. Refusing.';

it.each([
  ['nothing said', 0, '', [], []],
  ['nothing but a status', 1, '', ['exit status 1'], []],
  ['a line of the unit ignored', 0, `${path}:7: Unknown key 'X'\n`, ["7: Unknown key 'X'"], []],
  ['a line of a drop-in ignored', 1, `${ignored}\n`, [], [ignored]],
  ['a drop-in that breaks the unit', 1, `${ignored}\n${refused}\n`, [ignored, refused], []],
  ['a warning about another unit', 0, 'other.service: odd\n', [], ['other.service: odd']],
])('judges a check: %s', (_name, status, output, problems, warnings) => {
  expect(judgeVerification(status, output, path)).toEqual({ problems, warnings });
});
