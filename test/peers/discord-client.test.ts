import { describe, expect, it, onTestFinished } from 'vitest';
import { DiscordStandIn, directId } from '../support/discord-stand-in.js';
import { type DiscordRest, type DiscordWs, loadClient, npmClients } from './clients.js';

/** Direct messages and their texts. */
const intents = (1 << 12) | (1 << 15);

interface Dispatched {
  readonly t: string;
  readonly d: { readonly content?: string; readonly author?: { readonly bot?: boolean } };
}

describe.skipIf(npmClients.missing !== null)(
  `npm @discordjs/ws and @discordjs/rest take the stand-in for Discord (${npmClients.missing ?? 'runs'})`,
  () => {
    it('hear by the gateway, beat, resume, send once by a nonce, edit and read back', async () => {
      const discord = await DiscordStandIn.start();
      onTestFinished(() => discord.close());
      discord.gateway.heartbeatIntervalMs = 200;
      const { REST } = loadClient<DiscordRest>('@discordjs/rest');
      const { WebSocketManager } = loadClient<DiscordWs>('@discordjs/ws');
      const rest = new REST({ api: discord.root, version: '10' }).setToken(discord.token);
      const manager = new WebSocketManager({
        token: discord.token,
        intents,
        rest,
      });
      const heard: string[] = [];
      const messages = `/channels/${directId}/messages` as const;
      const body = (text: string) => ({ content: text, allowed_mentions: { parse: [] } });
      manager.on('dispatch', async ({ t, d }: Dispatched) => {
        if (t !== 'MESSAGE_CREATE' || d.author?.bot === true) return;
        heard.push(`${d.content}`);
        await rest.post(messages, { body: body(`reply to ${d.content}`) });
      });
      await manager.connect();
      expect(await rest.get('/users/@me')).toMatchObject({ username: 'stand-in' });
      discord.says('one');
      await discord.until(() => discord.texts.length === 1);
      await discord.until(() => discord.gateway.beats.length > 1);
      discord.gateway.op(7);
      await discord.until(() => discord.gateway.resumes === 1);
      discord.says('two');
      await discord.until(() => discord.texts.length === 2);
      const once = { ...body('three'), nonce: '7', enforce_nonce: true };
      const sent = (await rest.post(messages, { body: once })) as { readonly id: string };
      expect(await rest.post(messages, { body: once })).toMatchObject({ id: sent.id });
      await rest.patch(`${messages}/${sent.id}`, { body: body('four') });
      expect(await rest.get(`${messages}?limit=1`)).toMatchObject([{ id: sent.id, content: 'four' }]);
      await manager.destroy();
      expect(heard).toEqual(['one', 'two']);
      expect(discord.mistakes).toEqual([]);
    });
  },
);
