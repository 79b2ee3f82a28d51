import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** Checks the answers of an interface against its OpenAPI description, by Ajv. */

type Json = { [key: string]: unknown };

/** An answer as it came. */
export interface CheckedAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The body; with a stream of events, as much of it as was read. */
  readonly body: string;
}

export class AnswerCheck {
  readonly #document: Json;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  /** Each operation and status that an answer was checked against, such as "GET /v1/dead 200". */
  readonly met = new Set<string>();

  constructor(document: Json) {
    // Clients pass over members that they don't know. Here each one has to be described.
    this.#document = closed(document) as Json;
    // biome-ignore lint/suspicious/noExplicitAny: the package has a default export of CommonJS
    (addFormats as any)(this.#ajv);
    this.#ajv.addSchema(this.#document, 'document');
  }

  /** Each operation with each status that it is described with, `default` left out. */
  get described(): readonly string[] {
    return members(this.#document['paths']).flatMap(([path, methods]) =>
      members(methods).flatMap(([method, operation]) =>
        members((operation as Json)['responses'])
          .map(([status]) => status)
          .filter((status) => status !== 'default')
          .map((status) => `${method.toUpperCase()} ${path} ${status}`),
      ),
    );
  }

  /** The mistakes of an answer to a method and an address, which may have a query. Empty: there is none. */
  mistakes(method: string, address: string, answer: CheckedAnswer): readonly string[] {
    const path = this.#pathOf(method, address);
    if (path === null) return [`${method} ${address} is not described`];
    const responses = ['paths', path, method.toLowerCase(), 'responses'];
    const named = this.#at([...responses, String(answer.status)]) !== undefined;
    if (!named && answer.status < 400) return [`${method} ${path} ${answer.status} is not described`];
    if (named) this.met.add(`${method} ${path} ${answer.status}`);
    return this.#against([...responses, named ? String(answer.status) : 'default'], answer);
  }

  /** The mistakes of an error at an address that takes no such method, or that there is not. */
  mistakesOfError(answer: CheckedAnswer): readonly string[] {
    return this.#against(['components', 'responses', 'AnyError'], answer);
  }

  /** The mistakes of a webhook's body. */
  mistakesOfWebhook(name: string, body: string): readonly string[] {
    const media = ['webhooks', name, 'post', 'requestBody', 'content', 'application/json', 'schema'];
    return this.#schemaMistakes(media, JSON.parse(body));
  }

  #against(place: readonly string[], { status, headers, body }: CheckedAnswer): readonly string[] {
    const [at, response] = this.#resolved(place);
    const mistakes = this.#headerMistakes(at, response, headers);
    const content = response['content'] as Json | undefined;
    if (content === undefined) return body === '' ? mistakes : [...mistakes, `has a body: ${body}`];
    const type = (headers.get('content-type') ?? '').replace(/;.*/, '');
    const described = type in content ? type : '*/*';
    if (!(described in content)) return [...mistakes, `has the undescribed type "${type}"`];
    const media = [...at, 'content', described];
    if (type === 'text/event-stream') return [...mistakes, ...this.#eventMistakes(media, body)];
    if (described === '*/*') return mistakes;
    const value = JSON.parse(body) as Json;
    const kinds = response['x-problems'] as readonly string[] | undefined;
    const kind = String(value['type']).replace('urn:sd-gateway:problem:', '');
    const isUnknown = kinds !== undefined && !kinds.includes(kind);
    const isOther = status >= 400 && value['status'] !== status;
    return [
      ...mistakes,
      ...(isUnknown ? [`has the undescribed kind "${kind}"`] : []),
      ...(isOther ? [`says that its status is ${value['status']}`] : []),
      ...this.#schemaMistakes([...media, 'schema'], value),
    ];
  }

  #headerMistakes(at: readonly string[], response: Json, headers: Headers): string[] {
    return members(response['headers']).flatMap(([name, header]) => {
      const given = headers.get(name);
      const { required, schema } = header as { readonly required?: boolean; readonly schema: Json };
      if (given === null) return required ? [`lacks the header ${name}`] : [];
      const value = schema['type'] === 'integer' ? Number(given) : given;
      const found = this.#schemaMistakes([...at, 'headers', name, 'schema'], value);
      return found.map((mistake) => `header ${name}: ${mistake}`);
    });
  }

  #eventMistakes(media: readonly string[], body: string): string[] {
    const events = (this.#at([...media, 'x-events']) ?? {}) as Json;
    return eventsOf(body).flatMap(({ event, data }) =>
      event in events
        ? this.#schemaMistakes([...media, 'x-events', event], data).map((mistake) => `${event}: ${mistake}`)
        : [`has the undescribed event "${event}"`],
    );
  }

  #schemaMistakes(place: readonly string[], value: unknown): string[] {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
    const reference = `document#/${pointer.join('/')}`;
    const known = this.#validators.get(reference);
    const validate = known ?? this.#ajv.compile({ $ref: reference });
    this.#validators.set(reference, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }

  /** The described path that an address is of; one without parameters first. */
  #pathOf(method: string, address: string): string | null {
    const [asked = ''] = address.split('?');
    const paths = members(this.#document['paths'])
      .filter(([, methods]) => method.toLowerCase() in (methods as Json))
      .map(([path]) => path)
      .toSorted((a, b) => a.split('{').length - b.split('{').length);
    return paths.find((path) => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`).test(asked)) ?? null;
  }

  #at(place: readonly string[]): unknown {
    return place.reduce<unknown>((inner, part) => (inner as Json | undefined)?.[part], this.#document);
  }

  #resolved(place: readonly string[]): [readonly string[], Json] {
    const found = this.#at(place) as Json;
    const { $ref: reference } = found;
    return typeof reference === 'string' ? this.#resolved(reference.slice(2).split('/')) : [place, found];
  }
}

/** The events of a stream, as far as they came whole; comments are left out. */
export function eventsOf(stream: string): { readonly event: string; readonly data: unknown }[] {
  return stream
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)));
      return fields['data'] === undefined
        ? []
        : [{ event: fields['event'] ?? 'message', data: JSON.parse(fields['data']) }];
    });
}

/** A description whose objects have no members but those that are described. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
  const isOpen = 'type' in copy && 'properties' in copy && !('additionalProperties' in copy);
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}

function members(value: unknown): [string, unknown][] {
  return Object.entries((value ?? {}) as Json);
}
