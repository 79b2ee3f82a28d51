// A worker thread that gets on with something.
import { reportProgress } from '../../dist/systemd/timeout-extension.js';

setInterval(reportProgress, 1);
