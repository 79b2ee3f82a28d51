// Waits until all messages of sessions have come to their end, or none has for some time, then prints them as the
// gateway has them, one JSON line each, in the order of their seq.
//   node collect.mjs PORT TOKENFILE PATIENCE SESSION=COUNT…    PATIENCE: in milliseconds; COUNT: its least number of
//     messages, the last of which may still be on their way
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const [port, tokenFile, patienceText, ...sessions] = process.argv.slice(2);
const patience = Number(patienceText);
const headers = { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
const ends = new Set(['delivered', 'dead', 'cancelled', 'collected']);

async function get(path) {
  const url = `http://127.0.0.1:${port}${path}`;
  const response = await fetch(url, { headers });
  if (response.status === 404) return { items: [], next: null };
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function messagesOf(session) {
  const messages = [];
  let after = '';
  do {
    const page = await get(`/v1/sessions/${encodeURIComponent(session)}/messages?limit=1000${after}`);
    messages.push(...page.items);
    after = page.next === null ? null : `&after=${encodeURIComponent(page.next)}`;
  } while (after !== null);
  return messages;
}

/** Those that have come, once all have, or none more for some time. */
async function comeOf(session, count) {
  let messages = await messagesOf(session);
  for (let comeAt = performance.now(); messages.length < count && performance.now() - comeAt < patience; ) {
    await pause(100);
    const now = await messagesOf(session);
    if (now.length > messages.length) comeAt = performance.now();
    messages = now;
  }
  return messages;
}

const messages = [];
for (const wanted of sessions) {
  const [, session, count] = /^(.+)=(\d+)$/.exec(wanted);
  messages.push(...(await comeOf(session, Number(count))));
}
let open = messages.map((_, index) => index).filter((index) => !ends.has(messages[index].state));
let progressAt = performance.now();
while (open.length > 0 && performance.now() - progressAt < patience) {
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
