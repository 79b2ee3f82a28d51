// An agent with faults that turns are posted to, for agent-server.mjs.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { answerWith, cut, garbage, hang, megabyte, pour, stream } from './faulty-answers.mjs';

const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

/** The turn of each message that was posted last. */
const latest = new Map();
const newerTurnMs = 10_000;

/** The turn of a request, with the token for a reply that comes later. */
export function turnOf({ data }, headers) {
  const { id: message, session, attempt, turn_id: turnId } = data;
  const turn = { session, message, attempt, turnId, token: headers['sd-gateway-reply-token'] };
  latest.set(message, turn);
  return turn;
}

const replyOf = ({ message }) => ({ text: `reply to ${message}` });

/** The reply with a file, whose hash stands in its metadata. */
function withFile({ message }) {
  const content = Buffer.from(`${message}\n`.repeat(5_000));
  const sha256 = createHash('sha256').update(content).digest('hex');
  const file = { name: 'file.txt', media_type: 'text/plain', data: content.toString('base64') };
  return { ...replyOf({ message }), metadata: { sha256 }, attachments: [file] };
}

/** Posts a reply until the gateway has said whether it takes it: gives 200 or 409. Any other answer is a mistake of it. */
const lateReplies = (gatewayPort, mistakes) => async (turn, reply) => {
  const { session, message, turnId, token } = turn;
  const post = async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${gatewayPort}/v1/turns/${turnId}/reply`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(reply),
        signal: AbortSignal.timeout(10_000),
      });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return null;
    }
  };
  for (;;) {
    const status = await post();
    if (status === 200 || status === 409) return status;
    if (status !== null && status < 500) {
      mistakes.push(`${session}: the late reply to ${message} was answered with ${status}`);
      return status;
    }
    await pause(50);
  }
};

/** Resolves with true once the message's turn was posted again, with another token. */
async function isPostedAgain(turn) {
  for (let leftMs = newerTurnMs; leftMs > 0; leftMs -= 50) {
    if (latest.get(turn.message) !== turn) return true;
    await pause(50);
  }
  return false;
}

/** A weight, and what is done, by name. */
export function turnBehaviours(gatewayPort, mistakes) {
  const postReply = lateReplies(gatewayPort, mistakes);
  const expect = (turn, status, wanted) => {
    if (status !== wanted) {
      mistakes.push(
        `${turn.session}: a late reply to ${turn.message} was answered with ${status}, not ${wanted}`,
      );
    }
  };
  const later = async (response, turn, end, reply = replyOf(turn)) => {
    response.writeHead(202).end();
    await pause(200);
    end();
    return postReply(turn, reply);
  };
  return {
    well: [
      0,
      (response, turn, end) => {
        end();
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(replyOf(turn)));
      },
    ],
    'plain text, late': [
      3,
      async (response, turn, end) => {
        await pause(300);
        end();
        response.writeHead(200, { 'content-type': 'text/plain' }).end(`${replyOf(turn).text}\n`);
      },
    ],
    'a stream': [
      3,
      async (response, turn, end) => {
        response
          .writeHead(200, stream)
          .write(event('status', { text: 'works' }) + event('delta', { text: 'reply to ' }));
        await pause(50);
        end();
        response.end(
          event('delta', { text: turn.message }) + event('reply', {}) + event('delta', { text: 'no' }),
        );
      },
    ],
    'replies later': [6, later],
    'replies later, with a file': [
      4,
      async (response, turn, end) => {
        const reply = withFile(turn);
        const status = await later(response, turn, end, reply);
        expect(turn, await postReply(turn, reply), status);
      },
    ],
    'replies later, and again': [
      4,
      async (response, turn, end) => {
        const status = await later(response, turn, end);
        expect(turn, await postReply(turn, replyOf(turn)), status);
        expect(turn, await postReply(turn, { text: 'another reply' }), 409);
      },
    ],
    'replies too late': [
      4,
      async (response, turn) => {
        response.writeHead(202).end();
        if (await isPostedAgain(turn)) expect(turn, await postReply(turn, { text: 'too late' }), 409);
      },
    ],
    'HTTP 503': [2, answerWith(503)],
    'HTTP 500': [3, answerWith(500)],
    'dies before its answer': [3, cut],
    'dies in its stream': [
      3,
      async (response) => {
        response.writeHead(200, stream).write(event('delta', { text: 'no' }));
        await pause(20);
        cut(response);
      },
    ],
    'an error in the stream': [
      3,
      (response) => response.writeHead(200, stream).end(event('error', { message: 'broken' })),
    ],
    'no HTTP': [3, garbage],
    'no JSON': [
      3,
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"text": '),
    ],
    hangs: [2, hang],
    'an answer of 100 MB': [
      2,
      async (response) => {
        response.writeHead(200, { 'content-type': 'text/plain' });
        await pour(response, megabyte, 100);
        response.end();
      },
    ],
    'a stream without end': [
      2,
      async (response) => {
        response.writeHead(200, stream);
        await pour(response, event('delta', { text: 'x'.repeat(1_000) }), Number.POSITIVE_INFINITY);
      },
    ],
  };
}
