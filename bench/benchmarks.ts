import type { Benchmark } from './frame/benchmark.js';
import { journal } from './journal.js';
import { notify } from './notify.js';

export const benchmarks: readonly Benchmark[] = [notify, journal];
