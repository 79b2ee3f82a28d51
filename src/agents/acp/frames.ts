import { ByteLines } from '../../text/byte-lines.js';
import { errorMessage } from '../../text/failure-text.js';
import { AgentError } from '../agent.js';

/**
 * Longest line that an agent may write, in bytes. Real agents wrote up to 560,000; a picture that a tool returns has a few
 * megabytes.
 */
export const longestFrameBytes = 8 * 1024 ** 2;

/** Bytes that are taken in one turn of the event loop. They may be thousands of lines. */
const bytesOfTurn = 4_096;

/**
 * Gives each line that an agent writes, one JSON object each (ACP, "Transports"), to `receive`. An agent whose line is too
 * long, or can't be received, fails: nothing more of it is read. The SDK's own framing has a limit too, but takes in lines
 * faster than they are read, and answers each that is no JSON. Returns a function for `readInTurns`.
 */
export function frameReader(
  receive: (frame: string) => void,
  fail: (failure: AgentError) => void,
  limitBytes: number = longestFrameBytes,
): (bytes: Buffer) => number {
  const lines = new ByteLines(limitBytes);
  let hasFailed = false;
  return (bytes) => {
    if (hasFailed) return bytes.length;
    const taken = bytes.subarray(0, bytesOfTurn);
    try {
      for (const { text } of lines.push(taken)) {
        if (text === null) throw tooLong(limitBytes);
        receive(text);
      }
      if (lines.isTooLong) throw tooLong(limitBytes);
    } catch (error) {
      hasFailed = true;
      fail(
        error instanceof AgentError
          ? error
          : new AgentError('bad-reply', `the agent was ended: ${errorMessage(error)}`, true),
      );
    }
    return taken.length;
  };
}

function tooLong(limitBytes: number): RangeError {
  return new RangeError(`a line is longer than ${limitBytes} bytes`);
}
