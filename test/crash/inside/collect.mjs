// Waits until all messages of sessions have come to their end, or none has for some time, then prints them as the
// gateway has them, one JSON line each, in the order of their seq.
//   node collect.mjs PORT TOKENFILE PATIENCE SESSION…    PATIENCE: in milliseconds
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const [port, tokenFile, patience, ...sessions] = process.argv.slice(2);
const headers = { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
const ends = new Set(['delivered', 'dead', 'cancelled', 'collected']);

async function get(path) {
  const url = `http://127.0.0.1:${port}${path}`;
  const response = await fetch(url, { headers });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function messagesOf(session) {
  const messages = [];
  let after = '';
  do {
    const page = await get(`/v1/sessions/${session}/messages?limit=1000${after}`);
    messages.push(...page.items);
    after = page.next === null ? null : `&after=${encodeURIComponent(page.next)}`;
  } while (after !== null);
  return messages;
}

const messages = [];
for (const session of sessions) messages.push(...(await messagesOf(session)));
let open = messages.map((_, index) => index).filter((index) => !ends.has(messages[index].state));
let progressAt = performance.now();
while (open.length > 0 && performance.now() - progressAt < Number(patience)) {
  const before = open.length;
  for (const index of open) messages[index] = await get(`/v1/messages/${messages[index].id}`);
  open = open.filter((index) => !ends.has(messages[index].state));
  if (open.length < before) progressAt = performance.now();
  else await pause(100);
}
for (const { id, session, seq, state, text, reply, error, attempts, delivery, collected_in } of messages) {
  const line = { session, id, seq, state, text, reply: reply?.text ?? null, error, attempts };
  Object.assign(line, { collectedIn: collected_in, unknown: delivery?.unknown ?? 0 });
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
