// Calls each of the addon's functions 100,000 times, for test/native/leak.sh. With --control it also leaks through an
// addon made for that, so that it is seen that a leak would be found.
import { createRequire } from 'node:module';
import { callEveryFunction } from './fixtures/every-function.mjs';

const control = process.argv.indexOf('--control');
if (control !== -1) createRequire(import.meta.url)(process.argv[control + 1]).leak();

const count = Number(process.env['LEAK_LOOP_COUNT'] ?? 100_000);
const resident = () => Math.round(process.memoryUsage.rss() / 1024 / 1024);
// Which pages are in use settles only after some calls.
await callEveryFunction(Math.min(count, 2000));
const before = resident();
const began = process.hrtime.bigint();
const functions = await callEveryFunction(count);
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
process.stdout.write(
  `${functions} functions, ${count} calls each in ${seconds.toFixed(1)} s; resident ${before} MiB before, ${resident()} MiB after\n`,
);
