// An agent that writes its time, in nanoseconds of CLOCK_MONOTONIC, and ends some time later.
process.stdin.resume();
process.stdout.write(`${process.hrtime.bigint()}\n`);
setTimeout(() => process.exit(0), 50);
