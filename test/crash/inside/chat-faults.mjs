// A server of chat completions with faults, for agent-server.mjs.
import { setTimeout as pause } from 'node:timers/promises';
import { answerWith, cut, garbage, hang, megabyte, pour, stream } from './faulty-answers.mjs';

const event = (data) => `data: ${JSON.stringify(data)}\n\n`;
const delta = (content, reason = null) =>
  event({
    object: 'chat.completion.chunk',
    model: 'm',
    choices: [{ index: 0, delta: { content }, finish_reason: reason }],
  });
const done = 'data: [DONE]\n\n';

/** The turn of a request: who posted it says so in the last text. The server does not know the message's id. */
export function chatTurn({ messages }) {
  const { content: text } = messages.at(-1);
  const [, seq, session] = /^message (\d+) of (\S+)$/.exec(text);
  return { session, message: `#${seq}`, attempt: 1, text };
}

const begin = (response) => {
  response.writeHead(200, stream).write(delta('reply to '));
};

/** The last piece, whose arrival ends the turn. */
const finish = (response, { text }, end) => {
  end();
  response.end(delta(text, 'stop') + done);
};

function well(response, turn, end) {
  begin(response);
  finish(response, turn, end);
}

/** A weight, and what is done. */
export const chatBehaviours = {
  well: [0, well],
  late: [
    3,
    async (response, turn, end) => {
      begin(response);
      await pause(300);
      finish(response, turn, end);
    },
  ],
  'in small pieces': [
    3,
    async (response, { text }, end) => {
      begin(response);
      end();
      for (const byte of Buffer.from(
        event({ choices: [{ delta: { content: text }, finish_reason: 'stop' }] }),
      )) {
        response.write(Buffer.from([byte]));
        await pause(1);
      }
      response.end();
    },
  ],
  'says its end twice': [
    3,
    (response, turn, end) => {
      begin(response);
      end();
      response.end(delta(turn.text, 'stop') + done + done + delta('more') + done);
    },
  ],
  whole: [
    3,
    (response, { text }, end) => {
      end();
      const message = { role: 'assistant', content: `reply to ${text}` };
      const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] });
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    },
  ],
  'HTTP 503': [3, answerWith(503, { 'retry-after': '0' })],
  'HTTP 429': [2, answerWith(429, { 'retry-after': '1' })],
  'HTTP 500': [3, answerWith(500)],
  'dies before its answer': [3, cut],
  'dies in its answer': [
    3,
    async (response) => {
      begin(response);
      await pause(20);
      cut(response);
    },
  ],
  'dies in an event': [
    3,
    async (response) => {
      begin(response);
      response.write('data: {"choices": [{"delta": {"cont');
      await pause(20);
      cut(response);
    },
  ],
  'ends too early': [3, (response) => response.writeHead(200, stream).end(delta('reply to '))],
  'an error in the stream': [
    3,
    (response) => response.writeHead(200, stream).end(event({ error: { message: 'broken', code: 500 } })),
  ],
  'no HTTP': [3, garbage],
  'garbage in the stream': [
    3,
    (response) => {
      begin(response);
      response.end('data: {"choices": [}\n\n');
    },
  ],
  hangs: [2, hang],
  'hangs in its answer': [2, begin],
  'an event of 100 MB': [
    2,
    async (response) => {
      response.writeHead(200, stream).write('data: {"x": "');
      await pour(response, megabyte, 100);
      response.end('"}\n\n');
    },
  ],
  'a reply without end': [
    2,
    async (response) => {
      begin(response);
      await pour(response, delta('x'.repeat(1_000)), Number.POSITIVE_INFINITY);
    },
  ],
  'comments without end': [
    2,
    async (response) => {
      begin(response);
      for (; !response.destroyed; await pause(5)) response.write(': alive\n\n');
    },
  ],
};
