/** The forms of the secrets that platforms give, by which a wrong file or word is told before it is sent anywhere. */
export const tokenForms = {
  telegram: /^\d{1,20}:[\w-]{20,100}$/,
  discord: /^[\w-]{10,50}\.[\w-]{4,20}\.[\w-]{20,100}$/,
  slackBot: /^xoxb-[\w-]{10,300}$/,
  slackApp: /^xapp-[\w-]{10,300}$/,
  slackSigning: /^[\da-f]{20,128}$/i,
  matrix: /^[\x21-\x7e]{8,4096}$/,
} as const;
