/**
 * An agent that writes its answer word by word. `hold NAME` in the message: it waits behind the second word until there is a
 * file HOLD/NAME; `fail`: it fails.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { text, metadata, attachments = [] } = JSON.parse(input);
const [, held] = /hold (\w+)/.exec(text) ?? [];
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

if (text.includes('fail')) process.exit(3);
const words = ['You ', 'said: ', text];
if (metadata.openai?.instructions) words.push(` [${metadata.openai.instructions}]`);
for (const { name } of attachments) words.push(` (${name})`);
for (const [index, word] of words.entries()) {
  if (index === 2 && held !== undefined) {
    const file = `${process.env.HOLD}/${held}`;
    writeFileSync(`${file}.waits`, '');
    while (!existsSync(file)) await pause(20);
  }
  say({ type: 'delta', text: word });
}
say({ type: 'usage', input_tokens: 5, output_tokens: words.length });
say({ type: 'reply' });
