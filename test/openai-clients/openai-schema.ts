import { readFileSync } from 'node:fs';
import { load } from './fixture.js';

/** Tells what is wrong with an answer by OpenAI's own description of it; null: nothing. */
export type AnswerCheck = (schema: string, answer: unknown) => string | null;

interface Compiled {
  (value: unknown): boolean;
  readonly errors?: readonly { readonly instancePath: string; readonly message?: string }[] | null;
}

interface AjvPackage {
  readonly default: new (
    options: object,
  ) => {
    addSchema(schema: object, id: string): void;
    compile(schema: object): Compiled;
    addFormat(name: string, format: true): void;
  };
}

/** Ajv checks: openai-schemas.json is what OpenAI publishes (extract-schemas.mjs). */
export async function openAiSchemas(): Promise<AnswerCheck> {
  const loaded = await load<AjvPackage & { readonly default: { readonly default?: AjvPackage['default'] } }>(
    'ajv/dist/2020.js',
  );
  const Ajv = (loaded.default.default ?? loaded.default) as AjvPackage['default'];
  const ajv = new Ajv({ strict: false, allErrors: true });
  for (const format of [
    'unixtime',
    'uri',
    'binary',
    'date',
    'date-time',
    'int64',
    'double',
    'float',
    'email',
    'uuid',
  ])
    ajv.addFormat(format, true);
  const { schemas } = JSON.parse(readFileSync(new URL('openai-schemas.json', import.meta.url), 'utf8')) as {
    readonly schemas: object;
  };
  ajv.addSchema({ components: { schemas } }, 'openai');
  const compiled = new Map<string, Compiled>();
  return (name, answer) => {
    const check = compiled.get(name) ?? ajv.compile({ $ref: `openai#/components/schemas/${name}` });
    compiled.set(name, check);
    if (check(answer)) return null;
    return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ');
  };
}
