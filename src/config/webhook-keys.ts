import { z } from 'zod';
import { parseTemplate, TemplateError } from '../text/template.js';
import { size } from './values.js';

/** The forms in which platforms sign their requests. */
export const webhookSchemes = ['standard-webhooks', 'github', 'stripe'] as const;
export type WebhookScheme = (typeof webhookSchemes)[number];

/** Longest text of a template, in characters. */
const longestTemplate = 4_096;

const template = z
  .string()
  .min(1, 'must not be empty')
  .max(longestTemplate)
  .superRefine((text, context) => {
    try {
      parseTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });

/** Keys of a channel that takes webhooks, beside those of its secret. */
export const webhookKeys = () => ({
  scheme: z.enum(webhookSchemes).register(z.globalRegistry, {
    description: 'The form in which the platform signs: "standard-webhooks", "github" or "stripe".',
  }),
  only: z.array(z.string().min(1)).default([]).register(z.globalRegistry, {
    description:
      'Types of events that become messages, such as ["push", "issues.opened"]. A type goes for those below it: "issues" for "issues.opened" as well. Others are acknowledged, and that is all. Unset: all.',
  }),
  message: template.default('{$event}\n{$payload}').register(z.globalRegistry, {
    description:
      'Text of the message. {issue.title} is a member of the payload, {issue.title|none} has a text in the place of a missing one, and {$event}, {$id} and {$payload} are the type, the id and all of it.',
  }),
  conversation: template.default('events').register(z.globalRegistry, {
    description:
      'Template of the conversation, such as "{repository.full_name}". Messages of a conversation share a session, and run one after the other.',
  }),
  payload: z.enum(['none', 'metadata', 'attachment']).default('none').register(z.globalRegistry, {
    description:
      'Handing over of the payload beside the text: "metadata" of the message, or an "attachment". One that is too large for metadata becomes an attachment.',
  }),
  reply_to: z
    .strictObject({ channel: z.string().min(1), to: z.string().min(1).max(2_048) })
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description:
        'Receiver of the replies: { channel = "NAME", to = "…" } is an address of another channel, and channel "webhook" a URL. Unset: replies go nowhere, and can be read.',
    }),
  body_limit: size(1_024, 25 * 1024 ** 2)
    .prefault('1M')
    .register(z.globalRegistry, { description: 'Largest body of a request.' }),
});
