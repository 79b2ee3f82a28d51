// A channel's program that is both platform and people, for command-channel.ts (docs/channels/protocol.md). It listens on the
// socket `load` in its directory; a line there is an order:
//   {"rate": 500, "seconds": 60}    messages a second, in 64 chats
// Once all replies have come, or none for 10 s, it answers with how many came, and the times from a message to its reply. Each
// reply is checked: it is the message's own, comes once, and in the order of its chat.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const chats = 64;
const stepMs = 10;
const patienceMs = 10_000;
const waiting = Array.from({ length: chats }, () => []);
let number = 0;
let latencies = [];
let mistakes = [];
let heardAt = 0;

const say = (lines) => process.stdout.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

function write(count) {
  const lines = [];
  for (; lines.length < count; number += 1) {
    const chat = number % chats;
    const text = `message ${number}`;
    waiting[chat].push({ text, at: performance.now() });
    lines.push({
      type: 'inbound',
      id: String(number),
      chat: `chat-${chat}`,
      person: 'ada',
      text,
      cursor: number,
    });
  }
  say(lines);
}

function take({ id, to, text }) {
  heardAt = performance.now();
  const first = waiting[Number(to.slice('chat-'.length))].shift();
  if (first?.text === text) latencies.push(heardAt - first.at);
  else mistakes.push(`${to}: "${text}" came in the place of "${first?.text}"`);
  say([{ type: 'sent', id }]);
}

const left = () => waiting.reduce((sum, { length }) => sum + length, 0);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function run({ rate, seconds }) {
  latencies = [];
  mistakes = [];
  const began = performance.now();
  for (let written = 0; written < rate * seconds; await pause(stepMs)) {
    // What a late timer has missed follows at once.
    const due = Math.min(Math.floor(((performance.now() - began) / 1_000) * rate), rate * seconds);
    write(due - written);
    written = due;
  }
  for (heardAt = performance.now(); left() > 0 && performance.now() - heardAt < patienceMs; )
    await pause(stepMs);
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor(latencies.length * part)] ?? null;
  return { count: latencies.length, missing: left(), mistakes, p50: at(0.5), p99: at(0.99) };
}

createServer((socket) => {
  createInterface(socket).on('line', async (line) => {
    socket.end(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  });
}).listen('load');

createInterface(process.stdin)
  .on('line', (text) => {
    const line = JSON.parse(text);
    if (line.type === 'start') say([{ type: 'ready', protocol: 1, capabilities: ['idempotent'] }]);
    else if (line.type === 'send') take(line);
    else if (line.type === 'health') say([{ type: 'healthy', id: line.id }]);
    else if (line.type === 'refused') mistakes.push(`${line.id} was refused: ${line.reason}`);
  })
  .once('close', () => process.exit(0));
