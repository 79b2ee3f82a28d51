import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketLink, type WebSocketOptions } from '../../src/channels/web-socket.js';
import { opcodes, WebSocketPeer } from '../support/web-socket-peer.js';

const clock = {
  now: () => Date.now(),
  after(delayMs: number, callback: () => void) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

let server: Server;
let peers: WebSocketPeer[];
let texts: string[];
let met: Promise<WebSocketPeer>;

const linkTo = (url: string, options: Partial<WebSocketOptions> = {}) =>
  new WebSocketLink(url, {
    clock,
    openTimeoutMs: 5_000,
    longestMessageBytes: 100_000,
    onText: (text) => texts.push(text),
    ...options,
  });

const url = () => `ws://127.0.0.1:${(server.address() as AddressInfo).port}/?v=10`;

beforeEach(async () => {
  peers = [];
  texts = [];
  server = createServer();
  met = new Promise((resolve) => {
    server.on('upgrade', (request, socket) => {
      const peer = new WebSocketPeer(request, socket);
      peers.push(peer);
      resolve(peer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const peer of peers) peer.cut();
  await new Promise((resolve) => server.close(resolve));
});

describe('a link to a WebSocket server', () => {
  it('carries texts both ways, in their order', async () => {
    const link = linkTo(url());
    const peer = await met;
    const long = 'ä'.repeat(40_000);
    for (const text of ['1', long, '3']) peer.send(text);
    await expect.poll(() => texts.length).toBe(3);
    expect(texts).toEqual(['1', long, '3']);
    for (const text of ['a', long, 'b']) link.send(text);
    await expect.poll(() => peer.texts.length).toBe(3);
    expect(peer.texts).toEqual(['a', long, 'b']);
    await link.close(1_000, 1_000);
    expect(peer.closeCode).toBe(1_000);
  });

  it('joins the parts of a message', async () => {
    linkTo(url());
    const peer = await met;
    peer.sendFrame(opcodes.text, Buffer.from('one '), false);
    peer.sendFrame(opcodes.ping, Buffer.from('?'));
    peer.sendFrame(opcodes.continuation, Buffer.from('text'));
    await expect.poll(() => texts).toEqual(['one text']);
  });

  it("tells the other side's code and reason", async () => {
    const link = linkTo(url());
    (await met).close(4_004, 'Authentication failed.');
    expect(await link.ended).toEqual({ code: 4_004, reason: 'Authentication failed.' });
    expect(link.send('too late')).toBe(false);
  });

  it('tells of a connection that breaks', async () => {
    const link = linkTo(url());
    (await met).cut();
    expect((await link.ended).code).toBe(1_006);
  });

  it('cuts off one that does not answer its end', async () => {
    const link = linkTo(url());
    const peer = await met;
    peer.answersClose = false;
    await expect.poll(() => link.isOpen).toBe(true);
    await link.close(4_900, 50);
    await peer.gone;
    expect(peer.closeCode).toBe(4_900);
  });

  it('ends one that sends more than a message may have', async () => {
    const link = linkTo(url());
    (await met).send('x'.repeat(100_001));
    expect(await link.ended).toEqual({ code: 1_006, reason: 'it broke off' });
    expect(texts).toEqual([]);
  });

  it('ends one that begins a message without an end', async () => {
    const link = linkTo(url());
    const peer = await met;
    for (let part = 0; part < 11; part += 1) {
      peer.sendFrame(part === 0 ? opcodes.text : opcodes.continuation, Buffer.alloc(10_000, 'x'), false);
    }
    expect((await link.ended).code).toBe(1_006);
    expect(texts).toEqual([]);
  });

  it.each([
    ['a message that is no text', (peer: WebSocketPeer) => peer.sendFrame(opcodes.binary, Buffer.from('x'))],
    ['text that is none', (peer: WebSocketPeer) => peer.sendFrame(opcodes.text, Buffer.from([0xff, 0xfe]))],
    ['frames that are none', (peer: WebSocketPeer) => peer.sendRaw(Buffer.from([0xf3, 0xff, 0, 1]))],
  ])('ends one that sends %s', async (_name, send) => {
    const link = linkTo(url());
    send(await met);
    await link.ended;
    expect(texts).toEqual([]);
  });

  it('hears answers to its pings', async () => {
    let now = 1_000;
    const link = linkTo(url(), { clock: { ...clock, now: () => now } });
    const peer = await met;
    await expect.poll(() => link.isOpen).toBe(true);
    now = 2_000;
    link.ping();
    await expect.poll(() => peer.pings).toBe(1);
    await expect.poll(() => link.heardAt).toBe(2_000);
  });

  it.each([
    ['answers with something else', '404 Not Found'],
    ['answers 101 for another key', '101 Switching Protocols'],
  ])('ends if the server %s', async (_name, status) => {
    server.removeAllListeners('upgrade');
    server.on('upgrade', (_request, socket) => {
      const accept = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n';
      socket.end(`HTTP/1.1 ${status}\r\n${accept}\r\n`);
    });
    const link = linkTo(url());
    expect((await link.ended).code).not.toBe(1_000);
  });

  it('ends if the server says nothing', async () => {
    server.removeAllListeners('upgrade');
    server.on('upgrade', (_request, socket) => socket.resume().on('end', () => socket.end()));
    const link = linkTo(url(), { openTimeoutMs: 50 });
    expect(await link.ended).toEqual({ code: 1_006, reason: 'no answer within 50 ms' });
  });

  it('ends if nobody is there', async () => {
    const target = url();
    await new Promise((resolve) => server.close(resolve));
    expect((await linkTo(target).ended).reason).toContain('ECONNREFUSED');
    server.listen(0, '127.0.0.1');
  });

  it('ends at once if it is closed before it is open', async () => {
    const link = linkTo(url());
    await link.close(1_000, 1_000);
    expect((await link.ended).code).toBe(1_006);
  });
});
