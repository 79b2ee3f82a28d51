/** Finds what would break a client, from one description of an interface to the next. */

type Json = { readonly [key: string]: unknown };
/** `answer`: the client reads it, also in a webhook. `request`: the client writes it. */
type Direction = 'answer' | 'request';

/** Each change that a client may not survive, as one line. A member, a status or a call that comes is none. */
export function breakingChanges(kept: Json, built: Json): readonly string[] {
  return new Comparison(kept, built).run();
}

class Comparison {
  readonly #kept: Json;
  readonly #built: Json;
  readonly #found = new Set<string>();
  /** Pairs of schemas that are compared, for those that contain themselves. */
  readonly #seen = new Set<string>();

  constructor(kept: Json, built: Json) {
    this.#kept = kept;
    this.#built = built;
  }

  run(): readonly string[] {
    for (const kind of ['paths', 'webhooks']) {
      for (const [path, methods] of entries(this.#kept[kind])) {
        for (const [method, operation] of entries(methods)) {
          const place = kind === 'paths' ? `${method.toUpperCase()} ${path}` : path;
          const next = child(child(child(this.#built, kind), path), method);
          if (next === null) this.#note(place, 'is gone');
          else this.#operation(place, object(operation), next, kind === 'webhooks' ? 'answer' : 'request');
        }
      }
    }
    return [...this.#found];
  }

  #note(place: string, what: string): void {
    this.#found.add(`${place} ${what}`);
  }

  #operation(place: string, kept: Json, built: Json, direction: Direction): void {
    if (kept['operationId'] !== built['operationId']) this.#note(place, 'has another operationId');
    if (text(kept['security']) !== text(built['security'])) this.#note(place, 'needs another right');
    this.#parameters(place, list(kept['parameters']), list(built['parameters']), direction);
    this.#body(place, child(kept, 'requestBody'), child(built, 'requestBody'), direction);
    // What a receiver answers to a webhook is its own.
    if (direction === 'answer') return;
    for (const [status, answer] of entries(kept['responses'])) {
      const next = child(built['responses'] as Json, status);
      if (next === null) this.#note(`${place} ${status}`, 'is gone');
      else this.#answer(`${place} ${status}`, this.#of('kept', answer), this.#of('built', next));
    }
  }

  #parameters(place: string, kept: readonly Json[], built: readonly Json[], direction: Direction): void {
    const same = (a: Json) => (b: Json) => a['in'] === b['in'] && a['name'] === b['name'];
    for (const parameter of kept) {
      const next = built.find(same(parameter));
      const where = `${place} ${parameter['name']}`;
      if (next === undefined) this.#note(where, 'is gone');
      else {
        if (direction === 'request' && next['required'] === true && parameter['required'] !== true)
          this.#note(where, 'is required');
        this.#schema(where, object(parameter['schema']), object(next['schema']), direction);
      }
    }
    for (const parameter of built) {
      const isNew = !kept.some(same(parameter));
      if (direction === 'request' && isNew && parameter['required'] === true)
        this.#note(`${place} ${parameter['name']}`, 'is required');
    }
  }

  #body(place: string, kept: Json | null, built: Json | null, direction: Direction): void {
    if (built?.['required'] === true && kept?.['required'] !== true)
      this.#note(`${place} body`, 'is required');
    if (kept === null) return;
    this.#content(`${place} body`, kept, built ?? {}, direction);
  }

  #answer(place: string, kept: Json, built: Json): void {
    for (const [name, header] of entries(kept['headers'])) {
      const next = child(built['headers'] as Json | undefined, name);
      if (next === null) this.#note(`${place} header ${name}`, 'is gone');
      else if (object(header)['required'] === true && next['required'] !== true)
        this.#note(`${place} header ${name}`, 'may be missing');
    }
    const problems = (built['x-problems'] ?? []) as readonly string[];
    for (const kind of (kept['x-problems'] ?? []) as readonly string[]) {
      if (!problems.includes(kind)) this.#note(`${place} error ${kind}`, 'is gone');
    }
    this.#content(place, kept, built, 'answer');
  }

  #content(place: string, kept: Json, built: Json, direction: Direction): void {
    for (const [type, content] of entries(kept['content'])) {
      const next = child(built['content'] as Json | undefined, type);
      if (next === null) {
        this.#note(`${place} ${type}`, 'is gone');
        continue;
      }
      this.#schema(`${place} ${type}`, object(object(content)['schema']), object(next['schema']), direction);
      for (const [event, data] of entries(object(content)['x-events'])) {
        const other = child(next['x-events'] as Json | undefined, event);
        if (other === null) this.#note(`${place} event ${event}`, 'is gone');
        else this.#schema(`${place} event ${event}`, object(data), other, 'answer');
      }
    }
  }

  /** A schema with a name is compared once, and its mistakes are told under that name. */
  #schema(where: string, keptOrReference: Json, builtOrReference: Json, direction: Direction): void {
    const pair = text([where, keptOrReference, builtOrReference, direction]);
    if (this.#seen.has(pair)) return;
    this.#seen.add(pair);
    const { $ref: reference } = keptOrReference;
    const place = typeof reference === 'string' ? reference.replace(/.*\//, '') : where;
    if (place !== where) {
      this.#schema(place, this.#of('kept', keptOrReference), this.#of('built', builtOrReference), direction);
      return;
    }
    const kept = this.#of('kept', keptOrReference);
    const built = this.#of('built', builtOrReference);
    const [from, to] = direction === 'answer' ? [built, kept] : [kept, built];
    // All that may come from the one side is known to the other.
    if (!covers(typesOf(to), typesOf(from))) this.#note(place, 'has another type');
    if (!coversValues(to, from)) this.#note(place, 'has other values');
    if (direction === 'request' && isNarrower(built, kept)) this.#note(place, 'has narrower bounds');
    if (kept['format'] !== built['format']) this.#note(place, 'has another format');
    this.#members(place, kept, built, direction);
    if (kept['items'] !== undefined && built['items'] !== undefined)
      this.#schema(`${place}[]`, object(kept['items']), object(built['items']), direction);
    const [needed, offered] = [list(from['anyOf']), list(to['anyOf'])];
    const hasOther = needed.some(
      (variant) => !offered.some((other) => this.#fits(variant, other, direction)),
    );
    if ((needed.length > 0 || offered.length > 0) && hasOther) this.#note(place, 'has another variant');
  }

  #members(place: string, kept: Json, built: Json, direction: Direction): void {
    const required = (schema: Json) => (schema['required'] ?? []) as readonly string[];
    for (const [name, member] of entries(kept['properties'])) {
      const where = `${place} ${name}`;
      const next = child(built['properties'] as Json | undefined, name);
      if (next === null) this.#note(where, 'is gone');
      else this.#schema(where, object(member), next, direction);
      if (
        direction === 'answer' &&
        next !== null &&
        required(kept).includes(name) &&
        !required(built).includes(name)
      )
        this.#note(where, 'may be missing');
    }
    for (const name of required(built)) {
      if (direction === 'request' && !required(kept).includes(name))
        this.#note(`${place} ${name}`, 'is required');
    }
  }

  /** True if each value of a variant fits another. `from` is built for an answer, and kept for a request. */
  #fits(from: Json, to: Json, direction: Direction): boolean {
    const [kept, built] = direction === 'answer' ? [to, from] : [from, to];
    const alone = new Comparison(this.#kept, this.#built);
    alone.#schema('', kept, built, direction);
    return alone.#found.size === 0;
  }

  /** A schema or an answer, also if it is referred to. */
  #of(side: 'kept' | 'built', value: unknown): Json {
    const reference = object(value)['$ref'];
    if (typeof reference !== 'string') return object(value);
    const root = side === 'kept' ? this.#kept : this.#built;
    const parts = reference.slice(2).split('/');
    return object(parts.reduce<unknown>((inner, part) => object(inner)[part], root));
  }
}

function typesOf(schema: Json): readonly string[] | null {
  const { type } = schema;
  return type === undefined ? null : ((Array.isArray(type) ? type : [type]) as readonly string[]);
}

/** Null: any type, or one that other keywords say. */
function covers(to: readonly string[] | null, from: readonly string[] | null): boolean {
  if (to === null || from === null) return to === from;
  return from.every((type) => to.includes(type) || (type === 'integer' && to.includes('number')));
}

function coversValues(to: Json, from: Json): boolean {
  const valuesOf = (schema: Json) =>
    'const' in schema ? [schema['const']] : (schema['enum'] as readonly unknown[] | undefined);
  const [offered, needed] = [valuesOf(to), valuesOf(from)];
  return offered === undefined || needed?.every((value) => offered.includes(value)) === true;
}

function isNarrower(built: Json, kept: Json): boolean {
  const number = (value: unknown, otherwise: number) => (typeof value === 'number' ? value : otherwise);
  const isLess = ['maxLength', 'maxItems', 'maximum'].some(
    (bound) => number(built[bound], Infinity) < number(kept[bound], Infinity),
  );
  const isMore = ['minLength', 'minItems', 'minimum'].some(
    (bound) => number(built[bound], -Infinity) > number(kept[bound], -Infinity),
  );
  return isLess || isMore || (built['pattern'] !== undefined && built['pattern'] !== kept['pattern']);
}

function entries(value: unknown): [string, unknown][] {
  return Object.entries(object(value));
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function child(value: Json | null | undefined, name: string): Json | null {
  const found = value?.[name];
  return typeof found === 'object' && found !== null ? (found as Json) : null;
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return JSON.stringify(value) ?? '';
}
