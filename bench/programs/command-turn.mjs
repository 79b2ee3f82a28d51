// A turn of a command:   node command-turn.mjs own|spawn COUNT
// "own" is the agent, "spawn" is child_process.spawn of the same program with the same input and the same three pipes, as
// short as it can be.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [contender, count] = process.argv.slice(2);
const command = ['/bin/cat'];
const request = (number) => ({
  turnId: `turn-${number}`,
  messageId: `message-${number}`,
  session: 'chat:42',
  seq: number + 1,
  attempt: 1,
  putBacks: 0,
  text: `Message ${number} of the benchmark, of some length`,
  metadata: {},
  sender: null,
  collected: [],
  files: [],
});

function bySpawn({ turnId, messageId, session, seq, attempt, text, metadata }) {
  const input = JSON.stringify({ id: messageId, session, seq, attempt, turn_id: turnId, text, metadata });
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], []);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.resume();
    child.once('error', reject);
    child.once('close', (status) =>
      status === 0 ? resolve({ text: output }) : reject(new Error(`status ${status}`)),
    );
    child.stdin.end(`${input}\n`);
  });
}

async function agent() {
  const { CommandAgent } = await import('../../dist/agents/command.js');
  const { replyOf } = await import('../../dist/agents/reply-of.js');
  const silent = () => undefined;
  const log = { crit: silent, err: silent, warning: silent, notice: silent, info: silent, debug: silent };
  const options = {
    timeout: 10_000,
    killDelay: 1_000,
    replyLimit: 1e6,
    env: [],
    input: 'json',
    output: 'text',
    memoryMax: null,
    groups: null,
    directory: mkdtempSync(join(tmpdir(), 'command-turn-')),
    log,
  };
  const made = new CommandAgent({ command, environment: process.env, processes: new Set(), ...options });
  return (asked) => replyOf(made.run(asked, new AbortController().signal));
}

const run = contender === 'own' ? await agent() : bySpawn;
const total = Number(count);
let spent = 0;
for (let number = -Math.min(10, total); number < total; number++) {
  const began = performance.now();
  const { text } = await run(request(number));
  // The first ones warm up.
  if (number >= 0) spent += performance.now() - began;
  const echoed = JSON.parse(text);
  if (echoed.text !== request(number).text || echoed.turn_id !== `turn-${number}`)
    throw new Error(`It said ${text}`);
}
process.stdout.write(`${JSON.stringify({ time: spent / total })}\n`);
