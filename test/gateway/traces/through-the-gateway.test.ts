import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../../cli/foreground.js';

/** Beside the program, as it would be installed. */
const api = new URL('../../../node_modules/@opentelemetry/api/dist/index.mjs', import.meta.url).href;

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;

test('a trace goes from the post through the store and the agent to the delivery, and a crash does not end it', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  mkdirSync(join(place.directory, 'etc'));
  const configure = (command: readonly string[]) =>
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      `[agent]\ncommand = ${JSON.stringify(command)}\n[delivery]\nallow = ["127.0.0.0/8"]\n[log]\nlevel = "debug"\n`,
    );
  let came: (headers: IncomingHttpHeaders, body: string) => void = () => undefined;
  const delivered = new Promise<{ readonly headers: IncomingHttpHeaders; readonly body: string }>(
    (resolve) => {
      came = (headers, body) => resolve({ headers, body });
    },
  );
  const receiver = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    incoming.on('end', () => {
      came(incoming.headers, body);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void receiver.close());
  const { port } = receiver.address() as AddressInfo;

  configure(['/bin/sleep', '60']);
  const first = await place.start({
    SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:0',
    TRACEPARENT: traceparent.replace('4', '5'),
  });
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(first.said)?.[0] ?? '';
  const token = readFileSync(join(place.directory, 'state/token'), 'utf8').trim();
  const posted = await fetch(`${base}/v1/sessions/alice/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', traceparent },
    body: JSON.stringify({ text: 'hello', reply_to: { url: `http://127.0.0.1:${port}/` } }),
  });
  expect(posted.status).toBe(202);
  first.child.kill('SIGKILL');
  await first.end;

  configure(['/bin/sh', '-c', 'cat > /dev/null; printf "trace %s" "$TRACEPARENT"']);
  const second = await place.start();
  const { headers, body } = await delivered;
  expect(headers['traceparent']).toBe(traceparent);
  expect(JSON.parse(body)).toMatchObject({
    data: { metadata: { traceparent }, reply: { text: `trace ${traceparent}` } },
  });
  await second.says('A reply was delivered.');
  const records = second.said
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, string>>);
  const traced = records.filter((record) => record['TRACE_ID'] === trace).map(({ message }) => message);
  expect(traced).toEqual(
    expect.arrayContaining(['A turn begins.', 'A turn has its reply.', 'A reply was delivered.']),
  );
}, 60_000);

test('with an SDK in the process, accept, turn and delivery are spans, and the agent is below its turn', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  mkdirSync(join(place.directory, 'etc'));
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[agent]\ncommand = ["/bin/sh", "-c", "cat > /dev/null; printf %s $TRACEPARENT"]\n`,
  );
  // Stands for an SDK and its exporter: it says each span that ends.
  writeFileSync(
    join(place.directory, 'tracing.mjs'),
    `import * as api from ${JSON.stringify(api)};
let last = 0;
api.trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan(name, _options, context) {
      last += 1;
      const spanId = String(last).padStart(16, '0');
      const { traceId, spanId: parent } = api.trace.getSpanContext(context) ?? {};
      const span = {
        spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
        setAttribute: () => span,
        setStatus: () => span,
        end: () => process.stderr.write(\`span \${name} \${spanId} of \${parent}\\n\`),
      };
      return span;
    },
  }),
});
`,
  );
  const gateway = await place.start({
    SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:0',
    NODE_OPTIONS: `--import=${join(place.directory, 'tracing.mjs')}`,
  });
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.said)?.[0] ?? '';
  const token = readFileSync(join(place.directory, 'state/token'), 'utf8').trim();
  const authorization = `Bearer ${token}`;
  const posted = await fetch(`${base}/v1/sessions/alice/messages`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', traceparent },
    body: JSON.stringify({ text: 'hello' }),
  });
  const { id } = (await posted.json()) as { readonly id: string };
  const answered = await fetch(`${base}/v1/messages/${id}?wait=30`, { headers: { authorization } });
  const { reply } = (await answered.json()) as { readonly reply: { readonly text: string } };
  await gateway.says('span sd_gateway.accept 0000000000000001 of 00f067aa0ba902b7');
  await gateway.says('span sd_gateway.turn 0000000000000002 of 0000000000000001');
  expect(reply.text).toBe(`00-${trace}-0000000000000002-01`);
}, 60_000);
