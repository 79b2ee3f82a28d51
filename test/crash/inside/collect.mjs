// Prints all messages of sessions as the gateway has them, one JSON line each, in the order of their seq.
//   node collect.mjs PORT TOKENFILE SESSION…
import { readFileSync } from 'node:fs';

const [port, tokenFile, ...sessions] = process.argv.slice(2);
const headers = { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
for (const session of sessions) {
  let after = '';
  do {
    const url = `http://127.0.0.1:${port}/v1/sessions/${session}/messages?limit=1000${after}`;
    const response = await fetch(url, { headers });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    const page = await response.json();
    for (const { id, seq, state, text, reply, error, attempts } of page.items) {
      const line = { session, id, seq, state, text, reply: reply?.text ?? null, error, attempts };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    after = page.next === null ? null : `&after=${encodeURIComponent(page.next)}`;
  } while (after !== null);
}
