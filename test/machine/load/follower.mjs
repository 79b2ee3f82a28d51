// Follows a session's events as a browser does (HTML Standard, 9.2): whenever the stream ends it comes back with the last
// id that it has seen. Prints the number of each message, and ends once it has seen so many.
//   node follower.mjs SOCKET TOKENFILE SESSION COUNT
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const [socketPath, tokenFile, session, count] = process.argv.slice(2);
const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
const seen = [];
let lastEventId = '0';

function take(block) {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s).slice(0, 2)));
  if (fields.id !== undefined) lastEventId = fields.id;
  if (fields.event === 'message') seen.push(String(JSON.parse(fields.data).seq));
}

/** One connection; resolves at its end, whatever that is. */
const follow = () =>
  new Promise((resolve) => {
    const headers = { authorization, 'last-event-id': lastEventId };
    const request = get({ socketPath, path: `/v1/sessions/${session}/events`, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          take(text.slice(0, end));
          text = text.slice(end + 2);
        }
        if (seen.length >= Number(count)) request.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', resolve);
    });
    request.on('error', resolve);
  });

let connections = 0;
while (seen.length < Number(count)) {
  await follow();
  connections += 1;
  await pause(50);
}
process.stdout.write(`${JSON.stringify({ seen: seen.map(Number), connections })}\n`);
