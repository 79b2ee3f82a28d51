import { expect, test } from 'vitest';
import { counter, exposition, gauge } from '../../../src/gateway/metrics/exposition.js';
import { Counter, Histogram } from '../../../src/gateway/metrics/instruments.js';

test('each family has its help and its type, and one without samples is left out', () => {
  const text = exposition([
    gauge('a', 'First.', 1.5),
    counter('b_total', 'Second.', [{ labels: { x: '1' }, value: 2 }]),
    gauge('c', 'None.', []),
  ]);
  expect(text).toBe(
    '# HELP a First.\n# TYPE a gauge\na 1.5\n# HELP b_total Second.\n# TYPE b_total counter\nb_total{x="1"} 2\n',
  );
});

test('quotes, backslashes and line feeds are escaped, the infinite is written as Prometheus reads it', () => {
  const labels = { x: 'a"b\\c\nd' };
  const text = exposition([
    gauge('a', 'One\ntwo \\ "three".', [{ labels, value: Number.POSITIVE_INFINITY }]),
  ]);
  expect(text).toBe('# HELP a One\\ntwo \\\\ "three".\n# TYPE a gauge\na{x="a\\"b\\\\c\\nd"} +Inf\n');
});

test('the buckets of a histogram are cumulative and in seconds', () => {
  const histogram = new Histogram<'agent'>('t_seconds', 'Times.', [100, 1_000]);
  for (const milliseconds of [50, 100, 101, 5_000]) histogram.observe({ agent: 'a' }, milliseconds);
  expect(exposition([histogram.family()])).toBe(
    [
      '# HELP t_seconds Times.',
      '# TYPE t_seconds histogram',
      't_seconds_bucket{agent="a",le="0.1"} 2',
      't_seconds_bucket{agent="a",le="1"} 3',
      't_seconds_bucket{agent="a",le="+Inf"} 4',
      't_seconds_sum{agent="a"} 5.251',
      't_seconds_count{agent="a"} 4',
      '',
    ].join('\n'),
  );
});

test('a family has a bound of series: further ones are counted together', () => {
  const names = new Counter<'name'>('n_total', 'Names.');
  for (let index = 0; index < 2_000; index += 1) names.add({ name: `n${index}` });
  const { samples } = names.family();
  expect(samples).toHaveLength(501);
  expect(samples.at(-1)).toEqual({ labels: { name: 'other' }, value: 1_500 });
});
