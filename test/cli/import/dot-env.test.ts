// biome-ignore-all lint/suspicious/noTemplateCurlyInString: files have such references to variables
import { expect, it } from 'vitest';
import { MissingVariableError, parseDotEnv, withVariables } from '../../../src/cli/import/dot-env.js';

it.each<[line: string, value: string | null]>([
  ['A=b', 'b'],
  ['export  A = b', 'b'],
  ['A=b c   # a comment', 'b c'],
  ['A=# nothing', ''],
  ['A=b#c', 'b#c'],
  ['A="b # c" # d', 'b # c'],
  ['A="b\\n\\"c\\\\"', 'b\n"c\\'],
  ["A='b\\n$(id)'", 'b\\n$(id)'],
  ['A=`id`$(id)', '`id`$(id)'],
  ['A="b', null],
  ["A='b", null],
  ['#A=b', null],
])('reads the line %j', (line, value) => {
  const { variables, unreadLines } = parseDotEnv(`\n${line}\r\n`);
  expect(variables.get('A') ?? null).toBe(value);
  expect(unreadLines).toEqual(value === null && !line.startsWith('#') ? [2] : []);
});

it('names the lines that are no variables', () => {
  expect(parseDotEnv('A=1\nrm -rf\n=x\n1A=x\nB=2').unreadLines).toEqual([2, 3, 4]);
});

it('reads a long line of blanks at once', () => {
  const { variables } = parseDotEnv(`A=${' '.repeat(200_000)}x${' '.repeat(200_000)}`);
  expect(variables.get('A')).toBe('x');
});

it.each([
  ['${A}/v1', 'one/v1'],
  ['$${A}', '${A}'],
  ['$A $(A) {A}', '$A $(A) {A}'],
  ['${B}', '${A}'],
])('puts variables into %j', (text, result) => {
  const environment = {
    variables: new Map([
      ['A', 'one'],
      ['B', '${A}'],
    ]),
    unreadLines: [],
  };
  expect(withVariables(text, environment)).toBe(result);
});

it('knows no other environment', () => {
  const environment = parseDotEnv('EMPTY=');
  expect(() => withVariables('${HOME}', environment)).toThrow(MissingVariableError);
  expect(() => withVariables('${EMPTY}', environment)).toThrow('${EMPTY}, which .env does not have');
});
