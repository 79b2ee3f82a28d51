import { describe, expect, it, onTestFinished } from 'vitest';
import { ada, botUser, directId, MatrixStandIn } from '../support/matrix-stand-in.js';
import { loadMatrixSdk, type MatrixEventData, npmClients } from './clients.js';

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, getChild: () => silent };
const nothing = { types: [] };
const filter = JSON.stringify({
  presence: nothing,
  account_data: nothing,
  room: {
    account_data: nothing,
    ephemeral: nothing,
    state: { types: ['m.room.create', 'm.room.member'], lazy_load_members: true },
    timeline: { types: ['m.room.message', 'm.room.member'], limit: 50 },
  },
});

describe.skipIf(npmClients.missing !== null)(
  `npm matrix-js-sdk takes the stand-in for a homeserver (${npmClients.missing ?? 'runs'})`,
  () => {
    it('polls, joins, sends once by a transaction id, reads back, and sends and gets files', async () => {
      const matrix = await MatrixStandIn.start();
      onTestFinished(() => matrix.close());
      const sdk = await loadMatrixSdk();
      const client = sdk.createClient({
        baseUrl: matrix.root,
        accessToken: matrix.token,
        userId: botUser,
        logger: silent,
      });
      expect(await client.whoami()).toMatchObject({ user_id: botUser });
      expect((await client.getVersions()).versions).toContain('v1.11');

      const sync = new sdk.SyncAccumulator();
      const poll = async (since?: string) => {
        const query = { filter, timeout: '0', ...(since !== undefined && { since }) };
        sync.accumulate(await client.http.authedRequest('GET', '/sync', query));
        return sync.getJSON();
      };
      const first = await poll();
      const heard = matrix.says('one');
      matrix.invites('!new:example.org', [ada]);
      const { roomsData } = await poll(first.nextBatch);
      expect(roomsData.join[directId]?.timeline.events).toContainEqual(
        expect.objectContaining({
          event_id: heard.event_id,
          sender: ada,
          content: { msgtype: 'm.text', body: 'one' },
        }),
      );
      expect(Object.keys(roomsData.invite)).toEqual(['!new:example.org']);
      expect(await client.joinRoom('!new:example.org')).toMatchObject({ roomId: '!new:example.org' });

      const content = { msgtype: 'm.text', body: 'two', 'm.mentions': {}, 'sd-gateway.transaction': 'a' };
      const send = () => client.sendEvent(directId, 'm.room.message', content, 'a-transaction');
      const sent = await send();
      expect(await send()).toEqual(sent);
      expect(matrix.textsIn(directId)).toEqual(['two']);
      await client.sendTyping(directId, true, 1_000);
      const isSent = ({ event_id: id }: MatrixEventData) => id === sent.event_id;
      const { chunk } = await client.createMessagesRequest(directId, null, 10, 'b');
      expect(chunk.find(isSent)?.content['body']).toBe('two');
      expect((await client.fetchRoomEvent(directId, heard.event_id)).content['body']).toBe('one');
      expect(Object.keys((await client.getJoinedRoomMembers(directId)).joined)).toEqual([ada, botUser]);
      expect(await client.getStateEvent(directId, 'm.room.member', ada)).toMatchObject({
        membership: 'join',
      });

      expect((await client.getMediaConfig(true))['m.upload.size']).toBe(100_000);
      const uploaded = await client.uploadContent(Buffer.from('bytes'), {
        name: 'a.txt',
        type: 'text/plain',
      });
      const url = client.mxcUrlToHttp(
        uploaded.content_uri,
        undefined,
        undefined,
        undefined,
        false,
        true,
        true,
      );
      const got = await fetch(`${url}`.replace(/\?.*/, ''), {
        headers: { authorization: `Bearer ${matrix.token}` },
      });
      expect(await got.text()).toBe('bytes');
      expect(matrix.mistakes).toEqual([]);
    });
  },
);
