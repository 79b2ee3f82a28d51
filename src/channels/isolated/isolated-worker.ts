import { longestToChannelBytes, longestToGatewayBytes } from './calls.js';
import { ChannelSide } from './channel-side.js';

/** A program that runs one channel for the gateway that has started it. It speaks with it by standard input and output. */

const write = process.stdout.write.bind(process.stdout);
// A library that prints something must not speak in between.
process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;

const side = new ChannelSide({
  write: (line) => void write(line),
  longestTakenBytes: longestToChannelBytes,
  longestGivenBytes: longestToGatewayBytes,
});

process.stdin.on('data', (bytes: Buffer) => side.take(bytes));
// The gateway has ended it, or is gone. What it has not answered is not acknowledged.
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(1));
process.stdout.on('error', () => process.exit(1));
