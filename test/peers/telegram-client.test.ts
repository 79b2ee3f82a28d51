import { describe, expect, it, onTestFinished } from 'vitest';
import { TelegramStandIn } from '../support/telegram-stand-in.js';
import { type Grammy, type GrammyContext, loadClient, npmClients } from './clients.js';

describe.skipIf(npmClients.missing !== null)(
  `npm grammy takes the stand-in for Telegram (${npmClients.missing ?? 'runs'})`,
  () => {
    it('hears, replies, edits, and sends and gets files', async () => {
      const telegram = await TelegramStandIn.start();
      onTestFinished(() => telegram.close());
      const { Bot, InputFile } = loadClient<Grammy>('grammy');
      const bot = new Bot(telegram.token, { client: { apiRoot: telegram.root } });
      const heard: string[] = [];
      bot.on('message:text', async (context: GrammyContext) => {
        const { text, chat } = context.message;
        heard.push(`${context.me.username}: ${text}`);
        const sent = await context.reply(`**${text}**`);
        await bot.api.editMessageText(chat.id, sent.message_id, `edited ${text}`);
      });
      const running = bot.start({ allowed_updates: ['message'] });
      telegram.says('one');
      telegram.says('two');
      await telegram.until(() => telegram.callsOf('editMessageText').length === 2);
      telegram.addFile('a-file', Buffer.from('content'));
      const file = await bot.api.getFile('a-file');
      const content = await fetch(`${telegram.root}/file/bot${telegram.token}/${file.file_path}`);
      expect(await content.text()).toBe('content');
      await bot.api.sendDocument(42, new InputFile(Buffer.from('bytes'), 'a.txt'), { caption: 'a file' });
      await bot.stop();
      await running;
      expect(heard).toEqual(['stand_in_bot: one', 'stand_in_bot: two']);
      expect(telegram.sent.map(({ text }) => text)).toEqual(['edited one', 'edited two', 'a file']);
      // A stop confirms what was handled.
      expect(telegram.unconfirmed).toBe(0);
      expect(telegram.mistakes).toEqual([]);
    });
  },
);
