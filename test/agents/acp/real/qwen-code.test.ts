import { realAgents } from './agents.js';
import { describeRealAgent } from './scenario.js';

// The one of them that is small enough for `npm test`. `npm run test:all` has its other tests, and the other agents.
describeRealAgent(realAgents.qwen, 'first');
