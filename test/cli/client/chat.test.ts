import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Place, program } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  mkdirSync(join(place.directory, 'etc'), { recursive: true });
  const script =
    'read -r text; [ "$text" = fail ] && exit 3; [ "$text" = wait ] && echo begun && sleep 1000; echo "you said $text"';
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[dispatch]\nmax_attempts = 1\n[agent]\ninput = "text"\ncommand = ["/bin/sh", "-c", ${JSON.stringify(script)}]\n`,
  );
  await place.start();
});
afterAll(() => {
  place.remove();
});

it('sends each line of a pipe, and prints the replies alone', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'hello\n\nand again');
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: 'you said hello\nyou said and again\n',
    stderr: '',
  });
});

it('goes on after a message that is dead, and tells of it', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'fail\nnext\n');
  expect(stdout).toBe('you said next\n');
  expect(stderr).toContain('sd-gateway: the message is dead: the command exited with status 3');
  expect(status).toBe(1);
});

it('sends nothing that is no UTF-8, and neither does `send`', async () => {
  const bytes = Buffer.concat([Buffer.from('hello\ncaf'), Buffer.from([0xe9]), Buffer.from('\nmore\n')]);
  const chatted = await place.run(['chat', '--session', 'u'], {}, bytes);
  expect(chatted).toMatchObject({ status: 1, stdout: 'you said hello\n' });
  expect(chatted.stderr).toContain('line 2: it is no UTF-8. That line and those behind it were not sent.');
  const sent = await place.run(['send', '--session', 'u', '-'], {}, bytes);
  expect(sent).toMatchObject({ status: 1, stdout: '' });
  expect(sent.stderr).toContain('standard input is no UTF-8');
  const listed = await place.run(['messages', 'u', '--json']);
  expect(listed.stdout).not.toContain('caf');
});

it('tells of a gateway that speaks no TLS, which can have taken nothing', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const environment = { SD_GATEWAY_TOKEN: 'a'.repeat(43) };
  const sent = await place.run(['send', '--url', `https://127.0.0.1:${port}`, 'x'], environment);
  server.close();
  expect(sent.status).toBe(69);
  expect(sent.stderr).toContain(`it speaks no TLS; try http://127.0.0.1:${port}`);
});

it('advises nobody to do without TLS whose server refuses this version of it', async () => {
  // An alert (RFC 8446, section 6.2): fatal, protocol_version.
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(Buffer.from('15030300020246', 'hex')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const environment = { SD_GATEWAY_TOKEN: 'a'.repeat(43) };
  const sent = await place.run(['send', '--url', `https://127.0.0.1:${port}`, 'x'], environment);
  server.close();
  expect(sent.status).toBe(69);
  expect(sent.stderr).toContain('protocol version');
  expect(sent.stderr).not.toContain('http:');
});

/** A chat in a terminal, which is script(1). */
function chatInTerminal(session: string) {
  const command = `${process.execPath} ${program} chat --session ${session}`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: place.environment });
  const ended = once(terminal, 'close');
  let text = '';
  terminal.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return {
    shown: () => text,
    shows: (pattern: RegExp) => vi.waitFor(() => expect(text).toMatch(pattern), 15_000),
    type: (words: string) => terminal.stdin.write(words),
    quit: () => {
      terminal.stdin.end('/quit\n');
      return ended;
    },
  };
}

it('shows the conversation so far, cancels a turn by Ctrl-C and begins anew, in a terminal', async () => {
  const first = chatInTerminal('again');
  first.type('hello\n');
  await first.shows(/you said hello/);
  await first.quit();
  const chat = chatInTerminal('again');
  await chat.shows(/hello\s+you said hello[\s\S]*Ctrl-D ends it/);
  chat.type('wait\n');
  await chat.shows(/begun/);
  chat.type('\x03');
  await chat.shows(/cancelled/);
  chat.type('/reset\n');
  await chat.shows(/The session begins anew\./);
  await chat.quit();
  const { body } = await place.client.get('/v1/sessions/again/messages');
  expect(body?.['items']).toMatchObject([{ state: 'replied' }, { text: 'wait', state: 'cancelled' }]);
  expect((await place.client.get('/v1/sessions/again')).body).toMatchObject({ generation: 2 });
});

it('sends a file with the next message, in a terminal', async () => {
  const path = join(place.directory, 'a photo.png');
  writeFileSync(path, 'picture');
  const chat = chatInTerminal('terminal');
  chat.type(`/file ${path}.gone\n/file ${path}\nwhat is it\n`);
  await chat.shows(/you said what is it/);
  // An empty line sends nothing by itself, and files alone.
  chat.type(`\n/file ${path}\n\n`);
  await chat.shows(/you said \S+a photo\.png/);
  await chat.quit();
  expect(chat.shown()).toMatch(/ENOENT/);
  expect(chat.shown()).toContain('It goes with the next message.');
  const { body } = await place.client.get('/v1/sessions/terminal/messages');
  expect(body?.['items']).toMatchObject([
    { text: 'what is it', attachments: [{ name: 'a photo.png', media_type: 'image/png', size: 7 }] },
    { text: '', attachments: [{ name: 'a photo.png', media_type: 'image/png', size: 7 }] },
  ]);
});

it('tells which agents there are at /agent alone, and at a name that none has', async () => {
  const chat = chatInTerminal('agents');
  chat.type('/agent\n');
  await chat.shows(/The agent is default\. \/agent NAME chooses another one of: default\./);
  chat.type('/agent nope\n');
  await chat.shows(/"agent" is "nope", which is no agent of the configuration: default/);
  chat.type('/file\n');
  await chat.shows(/It needs the path of a file: \/file PATH/);
  await chat.quit();
});
