import { realAgents } from './agents.js';
import { describeRealAgent } from './scenario.js';

// The one of them that is small enough for `npm test`. `npm run test:all` has the others.
describeRealAgent(realAgents.qwen);
