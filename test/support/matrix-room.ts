/** An event, and its place among all that the stand-in has given. */
export interface MatrixEvent {
  readonly type: string;
  readonly sender: string;
  readonly event_id: string;
  readonly origin_server_ts: number;
  readonly content: Readonly<Record<string, unknown>>;
  readonly state_key?: string;
  readonly redacts?: string;
  readonly unsigned?: object;
  readonly position: number;
}

export interface SyncedRoom {
  /** Null: from the beginning. */
  readonly since: number | null;
  readonly limit: number;
  readonly timelineTypes: readonly string[];
  readonly stateTypes: readonly string[];
  /** The account. */
  readonly user: string;
}

/** A room of the stand-in for a homeserver, whose history those can see who were invited. */
export class MatrixRoom {
  readonly events: MatrixEvent[] = [];

  constructor(readonly id: string) {}

  add(event: MatrixEvent): void {
    this.events.push(event);
  }

  replace(event: MatrixEvent): void {
    const at = this.events.findIndex(({ event_id: id }) => id === event.event_id);
    this.events[at] = event;
  }

  stateEvent(type: string, key: string): MatrixEvent | undefined {
    return this.events.findLast((event) => event.type === type && event.state_key === key);
  }

  state(type: string, key: string): MatrixEvent | undefined {
    return this.stateEvent(type, key);
  }

  membership(user: string): string | undefined {
    const membership = this.stateEvent('m.room.member', user)?.content['membership'];
    return typeof membership === 'string' ? membership : undefined;
  }

  get #memberIds(): readonly string[] {
    const users = this.events.flatMap(({ type, state_key: key }) =>
      type === 'm.room.member' && key !== undefined ? [key] : [],
    );
    return [...new Set(users)].filter((user) => this.membership(user) === 'join');
  }

  get joinedMembers(): Readonly<Record<string, object>> {
    return Object.fromEntries(
      this.#memberIds.map((user) => {
        const name = this.stateEvent('m.room.member', user)?.content['displayname'];
        return [user, typeof name === 'string' ? { display_name: name } : {}];
      }),
    );
  }

  /** The members who have sent these events. */
  membersOf(events: readonly MatrixEvent[]): readonly object[] {
    const senders = [...new Set(events.map(({ sender }) => sender))];
    return senders.flatMap((user) => this.#shown(this.stateEvent('m.room.member', user)));
  }

  /** State as an invitation has it. */
  stripped(user: string): readonly object[] {
    return ['m.room.create', 'm.room.member'].flatMap((type) => {
      const event = this.stateEvent(type, type === 'm.room.create' ? '' : user);
      if (event === undefined) return [];
      const { sender, content, state_key } = event;
      return [{ type, sender, content, state_key }];
    });
  }

  /** Events that the user may see: those since somebody first invited the user, or since the first join. */
  visible(user: string): readonly MatrixEvent[] {
    // The history is shared with those who come later.
    return this.membership(user) === 'join' ? this.events : [];
  }

  /** Null: there is nothing new. */
  sync({ since, limit, timelineTypes, stateTypes, user }: SyncedRoom): object | null {
    const joined = this.stateEvent('m.room.member', user);
    const isNew = since === null || ((joined?.position ?? 0) > since && this.#wasOut(user, since));
    const from = isNew ? 0 : (since ?? 0);
    const fitting = this.visible(user).filter(
      ({ position, type }) => position > from && timelineTypes.includes(type),
    );
    const given = fitting.slice(-limit);
    if (given.length === 0 && !isNew) return null;
    const create =
      isNew && stateTypes.includes('m.room.create') ? this.#shown(this.stateEvent('m.room.create', '')) : [];
    const members = stateTypes.includes('m.room.member') ? this.membersOf(given) : [];
    const first = given[0]?.position ?? from + 1;
    return {
      state: { events: [...create, ...members] },
      timeline: {
        events: given.flatMap((event) => this.#shown(event)),
        limited: fitting.length > given.length,
        prev_batch: `t${first - 1}`,
      },
      summary: isNew ? { 'm.joined_member_count': this.#memberIds.length } : {},
    };
  }

  #wasOut(user: string, since: number): boolean {
    const before = this.events.findLast(
      ({ type, state_key: key, position }) => type === 'm.room.member' && key === user && position <= since,
    );
    return before?.content['membership'] !== 'join';
  }

  #shown(event: MatrixEvent | undefined): readonly object[] {
    if (event === undefined) return [];
    const { position: _position, ...rest } = event;
    return [rest];
  }
}
