import { describe, expect, it, onTestFinished } from 'vitest';
import { SlackStandIn } from '../support/slack-stand-in.js';
import { loadClient, npmClients, type SlackWebApi, type SocketMode } from './clients.js';

interface Heard {
  readonly event: { readonly text: string; readonly channel: string; readonly bot_id?: string };
  readonly ack: () => Promise<void>;
  readonly retry_num?: number;
}

describe.skipIf(npmClients.missing !== null)(
  `npm @slack/socket-mode and @slack/web-api take the stand-in for Slack (${npmClients.missing ?? 'runs'})`,
  () => {
    it('hear by Socket Mode, acknowledge, connect again when they are told to, and call methods', async () => {
      const slack = await SlackStandIn.start();
      onTestFinished(() => slack.close());
      const slackApiUrl = `${slack.root}/`;
      const { SocketModeClient } = loadClient<SocketMode>('@slack/socket-mode');
      const { WebClient } = loadClient<SlackWebApi>('@slack/web-api');
      const web = new WebClient(slack.botToken, {
        slackApiUrl,
        retryConfig: { retries: 0 },
        logLevel: 'error',
      });
      const socket = new SocketModeClient({
        appToken: slack.appToken,
        clientOptions: { slackApiUrl },
        logLevel: 'error',
      });
      const heard: string[] = [];
      socket.on('message', async ({ event, ack }: Heard) => {
        await ack();
        if (event.bot_id !== undefined) return;
        heard.push(event.text);
        await web.chat.postMessage({ channel: event.channel, text: `reply to ${event.text}` });
      });
      await socket.start();
      expect(await web.auth.test()).toMatchObject({ ok: true, user: slack.bot.user });
      slack.says('one');
      await slack.until(() => slack.textsIn().length === 1);
      slack.disconnect('refresh_requested');
      await slack.until(() => slack.peers.length === 2 && slack.isConnected);
      slack.says('two');
      await slack.until(() => slack.textsIn().length === 2 && slack.unacknowledged === 0);
      const { ts } = await web.chat.postMessage({ channel: 'D42', text: 'three', unfurl_links: false });
      await web.chat.update({ channel: 'D42', ts, text: 'four' });
      const { messages } = await web.conversations.history({ channel: 'D42', limit: 2 });
      expect(messages).toMatchObject([{ text: 'four' }, { text: 'reply to two' }]);
      expect(await web.users.info({ user: 'U42' })).toMatchObject({ user: { name: 'ada' } });
      await socket.disconnect();
      expect(heard).toEqual(['one', 'two']);
      expect(slack.mistakes).toEqual([]);
    });
  },
);
