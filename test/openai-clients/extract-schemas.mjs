/**
 * Writes openai-schemas.json anew: the schemas of the answers that the front gives, from OpenAI's public description
 * (openai/openai-openapi, MIT), without texts for people: `node extract-schemas.mjs openapi.json REVISION`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [, , file, revision] = process.argv;
const all = JSON.parse(readFileSync(file, 'utf8')).components.schemas;
const roots = [
  'CreateChatCompletionResponse',
  'CreateChatCompletionStreamResponse',
  'ListModelsResponse',
  'Model',
  'Response',
  'ResponseStreamEvent',
  'ErrorResponse',
  'ConversationResource',
  'DeletedConversationResource',
];
const forPeople = new Set(['description', 'title', 'example', 'examples', 'deprecated', 'externalDocs']);
const wanted = new Map();

/** A property may be called as one of the words for people: only a schema's own are left out. */
function plain(value, isSchema = true) {
  if (Array.isArray(value)) return value.map((each) => plain(each));
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = value;
  // OpenAPI 3.0's word, which JSON Schema does not know.
  if (isSchema && nullable === true) return { anyOf: [plain(rest), { type: 'null' }] };
  const entries = Object.entries(value).filter(
    ([name]) => !isSchema || !(forPeople.has(name) || name.startsWith('x-')),
  );
  return Object.fromEntries(
    entries.map(([name, each]) => [name, plain(each, !(isSchema && name === 'properties'))]),
  );
}

function take(name) {
  if (wanted.has(name)) return;
  const schema = plain(all[name]);
  wanted.set(name, schema);
  for (const [, next] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) take(next);
}

for (const root of roots) take(root);
const schemas = Object.fromEntries([...wanted].sort(([a], [b]) => (a < b ? -1 : 1)));
const source = {
  repository: 'https://github.com/openai/openai-openapi',
  revision,
  license: 'MIT, Copyright (c) OpenAI (https://openai.com)',
};
writeFileSync(
  new URL('openai-schemas.json', import.meta.url),
  `${JSON.stringify({ source, schemas }, null, 1)}\n`,
);
