/** Packages that only this channel needs. They are loaded when it is configured. */

/** The versions that the channel is tested with. */
const ranges = { imapflow: '^2.10.2', nodemailer: '^10.6.0', mailparser: '^3.14.2' } as const;

type PackageName = keyof typeof ranges;

export const loadImapflow = () => loaded('imapflow', () => import('imapflow'));

export const loadMailparser = () => loaded('mailparser', async () => (await import('mailparser')).default);

export const loadMailComposer = () =>
  loaded('nodemailer', async () => (await import('nodemailer/lib/mail-composer/index.js')).default);

export const loadSmtpConnection = () =>
  loaded('nodemailer', async () => (await import('nodemailer/lib/smtp-connection/index.js')).default);

/** Rejects with an error that says what to install. */
async function loaded<Module>(name: PackageName, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause;
    const all = Object.entries(ranges).map(([each, range]) => `'${each}@${range}'`);
    throw new Error(
      `the package ${name} is not installed. A channel of the type "email" needs it: run npm install --global --prefix /usr ${all.join(' ')}, and see docs/channels/email.md`,
      { cause },
    );
  }
}
