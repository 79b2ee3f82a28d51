/** Mistakes in TOML (toml.io) by the message of the parser, in the words of an operator and with what to do. */
const mistakes: ReadonlyMap<string, string> = new Map([
  ['Unspecified values are invalid', 'the value is missing behind "="'],
  ['Defining a key multiple times is invalid', 'this key or table is there twice; keep one of them'],
  ['Unterminated string constant', 'a text has no end; close its quotes'],
  ['Unterminated table-key', 'the heading of a table has no end; close it with "]"'],
  ['Unterminated array', 'a list has no end; close it with "]"'],
  ['Unterminated inline table', 'a table in braces has no end; close it with "}"'],
  ['Empty bare keys are not allowed', 'the name of a key or a table is missing'],
  ['Must be a newline', 'this can’t follow on the same line; a text belongs in quotes'],
  ['Expected equal (=) token', 'a "=" is missing behind the key'],
  ['Expected comma (,) token', 'a comma is missing between two values'],
  ['Unexpected character', 'this can’t stand here; a text belongs in quotes'],
  ['Unexpected token', 'this can’t stand here; a text belongs in quotes'],
  [
    'Control characters (codes < 0x1f and 0x7f) are not allowed',
    'there is a control character; write it as an escape, such as "\\t"',
  ],
  [
    'The key, equals sign, and value must be on the same line',
    'key, "=" and value belong on one line, as does a heading with its "]"',
  ],
  [
    'No newlines are allowed between the curly braces unless they are valid within a value',
    'a table in braces belongs on one line; or give it a heading, such as [agent]',
  ],
  ['Underscores are allowed between digits', 'a "_" may stand between two digits only'],
  ['Unexpected spaces', 'there is a space where none may be'],
  ['Three or more quotes are not permitted', 'there are too many quotes in a row'],
  ['Unexpected invalid date', 'there is no such date; a text belongs in quotes'],
  ['Unexpected invalid time', 'there is no such time; a text belongs in quotes'],
  ['Leading zeros are not allowed', 'no number begins with 0; a text belongs in quotes'],
  [
    'Trailing comma is not permitted in an inline table',
    'a table in braces has a comma behind its last value; leave it out',
  ],
  [
    'Invalid character in escape sequence',
    'a "\\" begins an escape that there is none of; write "\\\\", or put the text in single quotes',
  ],
  ['Consecutive dots are not permitted in keys', 'there are two dots in a row in a key'],
  ['Keys cannot end with a dot', 'the name of a key ends with a dot'],
  ['Keys cannot start with a dot', 'the name of a key begins with a dot'],
]);

/** Words a mistake that the parser has found; one that is not known keeps the words of the parser. */
export function describeTomlMistake(message: string): string {
  return mistakes.get(message) ?? message;
}
