// The stand-in is held to livekit/egress: the same cases for both. REELKIT_EGRESS_BIN names the real worker.
import { ensureStandIn } from '../../../src/dev/components.ts';
import { describeWorker } from './worker-contract.ts';

describeWorker('stand-in', () => ensureStandIn(() => {}));

const real = process.env.REELKIT_EGRESS_BIN;
if (real) describeWorker(real, async () => real);
