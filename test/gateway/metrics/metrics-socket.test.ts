import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { metricsContentType } from '../../../src/gateway/metrics/exposition.js';
import { openMetricsSocket } from '../../../src/gateway/metrics/metrics-socket.js';

let directory: string;
let path: string;
let records: string[];
let close: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-metrics-'));
  path = join(directory, 'metrics.sock');
  records = [];
  close = () => undefined;
});
afterEach(() => {
  close();
  rmSync(directory, { recursive: true });
});

const log = {
  info: (message: string) => void records.push(message),
  warning: (message: string) => void records.push(message),
};

async function open(text: () => Promise<string>): Promise<void> {
  close = await openMetricsSocket({ path, text, log });
}

function ask(method: string, address: string) {
  return new Promise<{ status: number | undefined; type: string | undefined; body: string }>(
    (resolve, reject) => {
      request({ socketPath: path, method, path: address }, async (response) => {
        const { statusCode: status, headers } = response;
        resolve({ status, type: headers['content-type'], body: await textOf(response) });
      })
        .on('error', reject)
        .end();
    },
  );
}

test('the socket answers GET /metrics alone, and only its user and group may connect', async () => {
  await open(async () => 'a 1\n');
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(await ask('GET', '/metrics')).toEqual({ status: 200, type: metricsContentType, body: 'a 1\n' });
  expect(await ask('GET', '/metrics?x=1')).toMatchObject({ status: 200 });
  expect(await ask('POST', '/metrics')).toMatchObject({ status: 405 });
  expect(await ask('GET', '/v1/sessions')).toMatchObject({ status: 404 });
});

test('a scrape that fails is answered 500 and told in the log, and the next one works', async () => {
  let fails = true;
  await open(async () => {
    if (fails) throw new Error('no figures');
    return 'a 1\n';
  });
  expect(await ask('GET', '/metrics')).toMatchObject({ status: 500 });
  expect(records).toContain('A scrape of the metrics failed: no figures');
  fails = false;
  expect(await ask('GET', '/metrics')).toMatchObject({ status: 200 });
});

test('a path that is taken is told, and nothing fails', async () => {
  writeFileSync(path, 'mine');
  await open(async () => 'a 1\n');
  expect(records).toEqual([
    expect.stringContaining(
      'there is a file that is not a socket. Remove it, or set metrics.socket to another path.',
    ),
  ]);
});
