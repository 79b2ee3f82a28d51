import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MatrixChannel } from '../../../src/channels/matrix/matrix-channel.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { channelTable } from '../../support/channel-bench.js';
import { ChatScene } from '../../support/chat-scene.js';
import { ada, directId, MatrixStandIn } from '../../support/matrix-stand-in.js';
import { type ReceptionChanges, receptionFor } from '../../support/reception.js';

let directory: string;
let store: Store;
let dispose: () => Promise<void>;

export async function openStore(): Promise<void> {
  ({ directory, store, dispose } = await openedStore());
}

export async function closeStore(): Promise<void> {
  await dispose();
}

/** An account, a channel on a real store, and a clock that the test moves. */
export class Scene extends ChatScene<MatrixChannel> {
  readonly tokenFile = join(directory, `token-${this.name}`);
  matrix!: MatrixStandIn;
  override channel!: MatrixChannel;
  /** Edits and deletions that have reached the gateway: the session, the id, and the new text. */
  readonly revisions: [string, string, string | null][] = [];
  /** What the reception has in the place of the gateway. */
  reception: ReceptionChanges = {};
  protected override readonly passLimitMs = 8_000;
  protected readonly conversation = directId;

  static async make(keys: object = {}): Promise<Scene> {
    const scene = new Scene('mx', store);
    scene.clock.advance(1_780_000_000_000);
    scene.matrix = await MatrixStandIn.start(() => scene.clock.now());
    scene.writeToken(scene.matrix.token);
    scene.channel = scene.made(keys);
    return scene;
  }

  async end(): Promise<void> {
    await this.closedAll();
    await this.matrix.close();
  }

  writeToken(token: string): void {
    writeFileSync(this.tokenFile, `${token}\n`, { mode: 0o600 });
  }

  /** Makes a further channel on the same store, as the next start of a gateway does, or another gateway. */
  made(keys: object = {}): MatrixChannel {
    const end = new AbortController();
    const configuration = channelTable(this.name, {
      type: 'matrix',
      token_file: this.tokenFile,
      homeserver: this.matrix.root,
      allow: [ada],
      ...keys,
    });
    const context = this.context({
      reception: receptionFor(configuration, {
        say: (to, text) => this.channel.say(to, text),
        revise: async ({ conversation, id }, text) => {
          this.revisions.push([conversation, id, text]);
          return null;
        },
        ...this.reception,
      }),
      attachmentLimits: () => ({ count: 2, fileBytes: 100_000, totalBytes: 150_000 }),
      limits: { session: 2_000, total: 100_000 },
      signal: end.signal,
      healthChanged: () => this.noteHealth(channel),
    });
    const channel = new MatrixChannel(configuration, context);
    this.ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Starts the channel, and waits until it has heard the homeserver. */
  async started(channel = this.channel): Promise<void> {
    await channel.start();
    await this.pass(() => channel.health().state === 'up' && this.matrix.isPolled);
  }
}

/** A session's name has other characters. */
export function sessionName(conversation: string): string {
  return conversation.replace(/[!$]/g, (character) => (character === '!' ? '~21' : '~24'));
}
