// A service that is given hostile values. Prints those that were not refused by the name of their argument, and stops.
import { createServer } from 'node:http';
import { ArgumentError, supervise } from '../../dist/library/index.js';

const throws = () => {
  throw new Error('hostile');
};
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
const all = { get: throws, has: throws, ownKeys: throws };
const withFields = [
  null,
  true,
  -1,
  Number.NaN,
  5n,
  Symbol('x'),
  { x: 1 },
  new Proxy({}, all),
  proxy,
  Buffer.of(1),
];
const values = [...withFields, [], new Date()];
const wrong = [];

async function refused(names, call, ...more) {
  await refusedAll(names, call, [...values, ...more]);
}

async function refusedAll(names, call, given) {
  for (const value of given) {
    try {
      await call(value);
      wrong.push([names, typeof value, 'taken']);
    } catch (error) {
      if (!(error instanceof ArgumentError && names.includes(error.argument))) {
        wrong.push([names, typeof value, String(error), error?.argument]);
      }
    }
  }
}

const noTimes = [0, '5', Number.POSITIVE_INFINITY, {}];
await refusedAll(['options', 'x', '0'], (value) => supervise(value), withFields);
await refused(['stopTimeoutMs'], (value) => supervise({ stopTimeoutMs: value }), ...noTimes);
await refused(['foreignSigterm'], (value) => supervise({ foreignSigterm: value }), 'FAIL', '');
await refused(['report'], (value) => supervise({ report: value }), 'report');

const service = await supervise({ report: throws });
const server = createServer();
await refused(['status'], (value) => service.ready(value), {});
await refused(['status'], (value) => service.status(value), undefined, {});
await refused(['handler'], (value) => service.onStop(value), undefined, 'x');
await refused(['handler'], (value) => service.onReload(value), undefined, 'x');
await refused(['check'], (value) => service.watchdog(value), 'x');
await refused(['server'], (value) => service.listen(value, { port: 0 }), undefined);
await refused(['where', 'x', '0'], (value) => service.listen(server, value), undefined, 'x', 8080);
await refused(['cause'], (value) => service.stop(value), 'stop', '');
process.stdout.write(JSON.stringify(wrong));
service.stop();
