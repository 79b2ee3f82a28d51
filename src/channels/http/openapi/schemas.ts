import { z } from 'zod';

/** The direction in which a value goes: a request is described as it is sent, an answer as it is received. */
export type Direction = 'request' | 'answer';

export type JsonSchema = { [key: string]: unknown };

const standIns = new WeakMap<z.core.$ZodType, z.ZodType>();

/**
 * Has `other` describe a schema that checks by code what JSON Schema can't say. It is made of the same parts.
 */
export function describeAs(schema: z.ZodType, other: z.ZodType): void {
  standIns.set(schema, other);
}

/** Describes each member of an object's schema, so that a new one without a description doesn't compile. */
export function describeMembers<Shape extends z.core.$ZodLooseShape>(
  object: z.ZodObject<Shape>,
  members: { readonly [Name in keyof Shape]: string | z.core.GlobalMeta },
): void {
  for (const [name, meta] of Object.entries(members)) {
    const member = object.shape[name] as z.core.$ZodType;
    if (z.globalRegistry.has(member))
      throw new Error(`The schema of "${name}" is described elsewhere as well.`);
    z.globalRegistry.add(
      member,
      typeof meta === 'string' ? { description: meta } : (meta as z.core.GlobalMeta),
    );
  }
}

/** The schemas of a description. Those with an id are collected, and are referred to. */
export class Schemas {
  readonly #named = new Map<string, JsonSchema>();

  /** The collected ones, in the order of their names. */
  get named(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#named].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  of(schema: z.core.$ZodType, direction: Direction): JsonSchema {
    const {
      $schema: _dialect,
      $defs = {},
      ...root
    } = z.toJSONSchema(schema, {
      io: direction === 'request' ? 'input' : 'output',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => this.#refine(zodSchema, jsonSchema as JsonSchema, direction),
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    for (const [name, definition] of Object.entries($defs)) {
      this.#collect({ ...withoutLocalReferences(definition), id: name });
    }
    const described = withoutLocalReferences(root);
    return 'id' in described ? this.#collect(described) : described;
  }

  /** Puts a schema with an id among the named ones, and gives the reference to it. */
  #collect({ id, ...schema }: JsonSchema): JsonSchema {
    const name = String(id);
    const known = this.#named.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`Two schemas have the id ${name}.`);
    }
    this.#named.set(name, schema);
    return { $ref: `#/components/schemas/${name}` };
  }

  #refine(schema: z.core.$ZodTypes, json: JsonSchema, direction: Direction): void {
    const { def } = schema._zod;
    const standIn = standIns.get(schema);
    if (standIn !== undefined) {
      for (const key of Object.keys(json)) delete json[key];
      Object.assign(json, this.of(standIn, direction));
    }
    // A list that is counted before its items are looked at.
    if (def.type === 'pipe' && direction === 'request' && json['type'] === 'array') {
      Object.assign(json, {
        ...this.of(def.out, direction),
        ...json,
        items: this.of(def.out, direction)['items'],
      });
    }
    // Answers gain members. A request with one that is not known is refused.
    if (direction === 'answer' && json['additionalProperties'] === false) delete json['additionalProperties'];
    if (json['minimum'] === Number.MIN_SAFE_INTEGER) delete json['minimum'];
    if (json['maximum'] === Number.MAX_SAFE_INTEGER) delete json['maximum'];
  }
}

/** A value with the references that zod makes to `$defs` led to the components instead. */
function withoutLocalReferences(value: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
}
