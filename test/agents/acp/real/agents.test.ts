import { realAgents } from './agents.js';
import { describeRealAgent } from './scenario.js';

// They take gigabytes and minutes: `npm run test:all` runs them, or
//   npx vitest run --project real-agents -t 'Gemini CLI'
for (const agent of Object.values(realAgents)) describeRealAgent(agent, 'all');
