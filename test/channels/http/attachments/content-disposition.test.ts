import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attachmentDisposition } from '../../../../src/channels/http/attachments/content-disposition.js';
import { unicodeText } from '../../../fuzz/unicode-text.js';

it.each([
  ['a.txt', 'attachment; filename="a.txt"'],
  ['a b;c.txt', 'attachment; filename="a b;c.txt"'],
  ['a"b\\c.txt', `attachment; filename="a_b_c.txt"; filename*=UTF-8''a%22b%5Cc.txt`],
  ['50%41.txt', `attachment; filename="50_41.txt"; filename*=UTF-8''50%2541.txt`],
  ['€uro (1)*.txt', `attachment; filename="_uro (1)*.txt"; filename*=UTF-8''%E2%82%ACuro%20%281%29%2A.txt`],
  ['a\r\nb', `attachment; filename="a__b"; filename*=UTF-8''a%0D%0Ab`],
])('the disposition of %j', (name, expected) => {
  expect(attachmentDisposition(name)).toBe(expected);
});

it('is one header of ASCII whatever the name, which it has whole', () => {
  fc.assert(
    fc.property(unicodeText(), (name) => {
      const header = attachmentDisposition(name);
      expect(header).toMatch(
        /^attachment; filename="[\x20\x21\x23-\x5b\x5d-\x7e]*"(; filename\*=UTF-8''[\w.!~%-]*)?$/,
      );
      const [, encoded] = header.split("UTF-8''");
      if (encoded !== undefined)
        expect(decodeURIComponent(encoded)).toBe(name.replace(/\p{Surrogate}/gu, '\ufffd'));
    }),
  );
});
